"""Tiny encoders with random weights, in folders of the formats in which real ones come."""

import json
from pathlib import Path

import torch

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = MARKS + ["a", "red", "green", "blue", "yellow", "square", "circle", "cross", "bar", "the", "is"]
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def write_encoder(kind: str, folder: Path) -> str:
    """Write a tiny model of this kind (clip, siglip, dinov2, resnet, vit, bert) to `folder`; returns its name."""
    import transformers

    torch.manual_seed(0)
    vision, text = SMALL | {"image_size": 16, "patch_size": 8}, SMALL | {"vocab_size": len(WORDS)}
    model = {
        "clip": lambda: transformers.CLIPModel(
            transformers.CLIPConfig(
                text_config=text | {"max_position_embeddings": 12, "eos_token_id": 3, "pad_token_id": 0},
                vision_config=vision,
                projection_dim=8,
            )
        ),
        "siglip": lambda: transformers.SiglipModel(
            transformers.SiglipConfig(
                text_config=text | {"max_position_embeddings": 12, "pad_token_id": 0}, vision_config=vision
            )
        ),
        "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**vision)),
        "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**vision)),
        "resnet": lambda: transformers.ResNetModel(
            transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ),
        "bert": lambda: transformers.BertModel(transformers.BertConfig(**text, max_position_embeddings=12)),
    }[kind]()
    model.eval().save_pretrained(folder)
    if kind != "bert":
        described = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "resample": 2}
        (folder / "preprocessor_config.json").write_text(json.dumps(described))
    if kind in ("clip", "siglip", "bert"):
        _tokenizer().save_pretrained(folder)
    return f"hf:{folder}"


def _tokenizer():
    import tokenizers
    import transformers
    from tokenizers import models, normalizers, pre_tokenizers, processors

    made = tokenizers.Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=12, **marks)
