"""Whether a processor computes in bfloat16."""

import torch


def has_bf16(kind: str = "cpu") -> bool:
    """Whether the processor has instructions for bfloat16, and does not only stand in for them; kind: cpu or cuda.

    >>> isinstance(has_bf16(), bool)
    True
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
