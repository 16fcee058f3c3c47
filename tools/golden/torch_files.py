"""Files of torch.save in both formats, and what they hold as safetensors: tests/golden/torch/.

Run: python tools/golden/torch_files.py   (needs torch, safetensors; seconds)

  zip.bin, legacy.bin  the same state dict: every type, views of all kinds, parameters, empty tensors
  nested.bin           a training checkpoint: the state dict under "model", numbers and lists around it
  shared.bin           two names for one tensor, overlapping ranges of one storage
  *.safetensors        the values, row by row; i16 as i32 and booleans as u8, as they are read
"""
import collections
import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/torch"


def numbers(shape, dtype):
    count = 1
    for n in shape:
        count *= n
    values = (torch.arange(count, dtype=torch.int64) * 37 % 101) - 50
    if dtype == torch.bool:
        return (values > 0).reshape(shape)
    if dtype == torch.uint8:
        values = values + 50
    if dtype.is_floating_point:
        values = values.double() / 8
    return values.to(dtype).reshape(shape)


def state():
    base = numbers((4, 6), torch.float32)
    plain = {f"type.{str(d)[6:]}": numbers((2, 3), d) for d in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
        torch.int8, torch.uint8, torch.bool)}
    views = {"view.transposed": base.t(), "view.offset": base[1:3], "view.strided": base[::2, 1::2],
             "view.permuted": numbers((2, 3, 4), torch.int16).permute(2, 0, 1),
             "view.expanded": base[:1].expand(3, 6)}
    rest = {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "名字": numbers((5,), torch.float32),
            "parameter": torch.nn.Parameter(numbers((3, 2), torch.float32)),
            "five": numbers((1, 2, 1, 2, 3), torch.float32)}
    return collections.OrderedDict({**plain, **views, **rest})


def values(tensors):
    wider = {torch.int16: torch.int32, torch.bool: torch.uint8}
    return {k: t.detach().to(wider.get(t.dtype, t.dtype)).clone().contiguous() for k, t in tensors.items()}


def main():
    OUT.mkdir(exist_ok=True)
    full = state()
    full._metadata = collections.OrderedDict([("", {"version": 1})])
    torch.save(full, OUT / "zip.bin")
    torch.save(full, OUT / "legacy.bin", _use_new_zipfile_serialization=False)
    save_file(values(full), OUT / "state.safetensors")

    small = collections.OrderedDict(a=numbers((2, 3), torch.float32), b=numbers((3,), torch.int64))
    torch.save({"epoch": 3, "loss": 0.5, "history": [1, 2.5, None, "x", (True, False)], "best": 2**40,
                "model": {"state_dict": small}, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}},
                                                              "param_groups": [{"lr": 1e-3}]}},
               OUT / "nested.bin")
    base = numbers((12,), torch.float32)
    shared = collections.OrderedDict(decoder=base[2:8], embeddings=base[2:8], overlap=base[5:11], extra="text")
    shared["same"] = shared["decoder"]
    torch.save(shared, OUT / "shared.bin")
    del shared["extra"]
    save_file({**{f"nested.{k}": v for k, v in values(small).items()},
               **{f"shared.{k}": v for k, v in values(shared).items()}}, OUT / "others.safetensors")


if __name__ == "__main__":
    main()
