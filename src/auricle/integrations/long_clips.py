"""Frame embeddings of clips that may be minutes long, as benchmarks hand them over: in memory for a window each."""

from collections.abc import Iterator

import torch
from torch import Tensor

from auricle.models.encoder import Encoder

WHOLE_SECONDS = 30.0  # up to which a batch is encoded at once


@torch.no_grad()
def frames_of_any_length(encoder: Encoder, waveform: Tensor) -> tuple[Tensor, Tensor]:
    """Frame embeddings ``(batch, time, frame_dim)`` float32 of ``(batch, samples)``, and their times ``(time,)`` in s.

    The encoder is heard in evaluation mode, without gradients, on the device where it is. Frames whose centre lies in
    the silence that a very short clip is completed with are left out, all but the first.
    """
    device = next((tensor.device for tensor in encoder.state_dict().values()), waveform.device)
    waveform = waveform.to(device, torch.float32)
    seconds = waveform.shape[1] / encoder.sample_rate
    was_training = encoder.training
    encoder.eval()
    try:
        if seconds <= WHOLE_SECONDS:
            frames, _ = encoder.frames(waveform)
        else:
            frames = torch.stack([torch.cat(list(_streamed(encoder, clip))) for clip in waveform])
    finally:
        encoder.train(was_training)
    times = encoder.frame_times(frames.shape[1])
    inside = max(1, int((times <= seconds).sum()))
    return frames[:, :inside].float(), times[:inside].to(device)


def _streamed(encoder: Encoder, clip: Tensor) -> Iterator[Tensor]:
    for frames, _ in encoder.stream_frames([clip.cpu().numpy()]):
        yield frames
