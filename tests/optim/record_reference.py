"""Record what PyTorch's optimizers, schedules and clipping give: ``python tests/optim/record_reference.py``."""

import json
from pathlib import Path

import torch
from problem import CASES, DTYPES, STEPS, gradients, pairs, start


def trajectory(name, options, dtype):
    params = [torch.tensor(a, requires_grad=True) for a in start(dtype)]
    opt = getattr(torch.optim, name)(params, foreach=False, **options)
    rows = []
    for step in range(STEPS):
        for p, g in zip(params, gradients(dtype, step), strict=True):
            p.grad = None if g is None else torch.tensor(g)
        opt.step()
        rows.append([x for p in params for x in pairs(p.detach().numpy())])
    return rows


def rates(make):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    schedule, found = make(opt), []
    for _ in range(8):
        found.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return found


def clipped(max_norm, norm_type):
    params = [torch.tensor(a, requires_grad=True) for a in start("float64")]
    for p, g in zip(params, gradients("float64", 0), strict=True):
        p.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type)
    return [norm.item(), *(x for p in params for x in pairs(p.grad.numpy()))]


def record():
    lr = torch.optim.lr_scheduler
    return {
        "torch": torch.__version__,
        "steps": [
            [name, options, dtype, trajectory(name, options, dtype)] for name, options in CASES for dtype in DTYPES
        ],
        "schedules": {
            "step": rates(lambda o: lr.StepLR(o, 3, 0.5)),
            "exponential": rates(lambda o: lr.ExponentialLR(o, 0.7)),
            "cosine": rates(lambda o: lr.CosineAnnealingLR(o, 7, 0.1)),
            "warmup": rates(lambda o: lr.LinearLR(o, 0.25, 1.0, 3)),
        },
        "clip": [[m, t, clipped(m, t)] for m, t in [(1.0, 2.0), (0.5, 1.0), (2.0, float("inf")), (100.0, 2.0)]],
    }


if __name__ == "__main__":
    text = json.dumps(record(), separators=(",", ":"))
    Path(__file__).with_name("reference.json").write_text(text + "\n")
