"""What a person sees while corpora are packed, checked or counted."""

from rich.markup import escape

from auricle.files import in_units
from auricle.packing.events import Event, Measuring, PackSummary, Plan, Progress
from auricle.packing.verify import Verified
from auricle.progress import WorkBar
from auricle.words import counted

SHOWN = 10  # damaged clips on the terminal


class PackBar(WorkBar):
    """Shows packing by its events; :meth:`share` shows other work."""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Measuring(what, share):
                self.share(what, share)
            case Plan():
                self._say(plan_line(event))
            case Progress(clips, all_clips, hours, rejected, dropped):
                left_out = "".join(
                    f"  {count:,} {what}" for count, what in ((rejected, "rejected"), (dropped, "dropped")) if count
                )
                self._bar("packing", clips / all_clips, f"{clips:,}/{all_clips:,} clips  {hours:,.2f} h{left_out}")
                if clips == all_clips:
                    self._close()

    def share(self, what: str, share: float) -> None:
        """Show the share of some work that is done."""
        self._bar(escape(what), share, "")
        if share == 1.0:
            self._close()


def plan_line(plan: Plan) -> str:
    """What will be packed, and how large that will be."""
    rejected = f" · {plan.rejected:,} unreadable" if plan.rejected else ""
    dropped = f" · {plan.dropped:,} near duplicates" if plan.dropped else ""
    done = f" · {plan.done_hours:,.2f} h of it are packed already" if plan.done_hours else ""
    return (
        f"{counted(plan.files, 'file')} · {counted(plan.clips, 'clip')} · {plan.hours:,.2f} h · {in_units(plan.size)}"
        f"{rejected}{dropped}{done}"
    )


def pack_summary(summary: PackSummary) -> str:
    """One line about a finished pack, and one about what was clipped."""
    left_out = [
        f" · {count:,} {what} ({what}.csv)"
        for count, what in ((summary.rejected, "rejected"), (summary.dropped, "dropped"))
        if count
    ]
    if summary.drop != "nothing" and not summary.dropped:
        left_out.append(" · no duplicates")
    complete = " (complete already, nothing to do)" if summary.was_complete else ""
    clips, shards = counted(summary.clips, "clip"), counted(summary.shards, "shard")
    line = (
        f"{summary.location}: {clips} · {summary.hours:,.2f} h · {in_units(summary.size)} in {shards}"
        f"{''.join(left_out)}{complete}"
    )
    if not summary.clipped:
        return line
    clipped = counted(summary.clipped, "clip")
    return f"{line}\n{clipped} had samples beyond [-1, 1], which were clipped (column `clipped`)"


def verified_summary(found: Verified) -> str:
    """Whether a pack is whole, and what is not."""
    if found.is_whole:
        shards = counted(found.shards, "shard")
        return (
            f"{found.location}: {counted(found.clips, 'clip')} in {shards}, whole and unchanged "
            f"({in_units(found.size)})"
        )
    lines = [*found.problems]
    if found.damaged:
        lines.append(f"{found.location}: {len(found.damaged):,} of {found.clips:,} clips are not what was packed:")
        lines += [f"  {damage}" for damage in found.damaged[:SHOWN]]
    if len(found.damaged) > SHOWN:
        lines.append(f"  {len(found.damaged) - SHOWN:,} more")
    return "\n".join([*lines, "pack again to another folder, or leave these clips out"])
