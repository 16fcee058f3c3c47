"""Reference values of a bidirectional GRU over packed sequences, by torch.nn.GRU in float64: tests/golden/gru.safetensors.

Run: python tools/golden/gru.py   (needs torch, safetensors; seconds)

Sequences of 4, 1, 6 and 3 tokens lie one behind the other. The loss whose gradients are stored is the sum of all states,
each times the number of the same place in `dy`.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/gru.safetensors"
LENGTHS, INPUTS, HIDDEN = [4, 1, 6, 3], 5, 7


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    gru = torch.nn.GRU(INPUTS, HIDDEN, bidirectional=True).double()
    x = torch.randn(sum(LENGTHS), INPUTS, dtype=torch.float64, requires_grad=True)
    dy = torch.randn(sum(LENGTHS), 2 * HIDDEN, dtype=torch.float64)
    packed, last = gru(pack_sequence(list(x.split(LENGTHS)), enforce_sorted=False))
    y = torch.cat(unpack_sequence(packed))
    (y * dy).sum().backward()

    out = {"x": x, "dy": dy, "y": y, "last": last, "grad.x": x.grad,
           "offsets": torch.tensor([0, *LENGTHS]).cumsum(0).int()}
    for name, parameter in gru.named_parameters():
        out[name] = parameter
        out[f"grad.{name}"] = parameter.grad
    save_file({name: tensor.detach().contiguous() for name, tensor in out.items()}, OUT)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
