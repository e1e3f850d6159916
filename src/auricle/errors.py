"""The one exception that users are meant to see.

Everything that a user can cause (a wrong path, a broken file, an unknown key) is raised as :class:`AuricleError` with
one sentence that says what was given, what was expected and what to do. Commands print that sentence and exit with
status 1; any other exception is a defect of Auricle and keeps its traceback.
"""


class AuricleError(Exception):
    """Something that the user can put right; its text is one clear sentence.

    Attributes
    ----------
    everywhere : bool
        Whether all processes of one training raise it, so that one of them is enough to say it.
    """

    everywhere = False


class Interrupted(AuricleError):  # noqa: N818 (stopping on request is no error)
    """The user stopped the work; its text says what is kept and how to go on. Commands exit with status 130."""
