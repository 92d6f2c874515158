"""A language model of a few hundred kilobytes: random words that hang on every prompt, made here, never downloaded.

`python _tiny.py hf DIR` writes a Llama with its tokenizer for transformers; `python _tiny.py gguf FILE` the same one
for llama.cpp. Runs in the target's environment, which has numpy and, by the form, safetensors or gguf.

The vocabulary is the 256 bytes, the words below and their beginnings. Bytes are said only within the chains of `é` and
`😀`, so characters are split over tokens, as by real tokenizers, and none is ever cut but by a limit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, INNER, CONTEXT = 64, 2, 4, 128, 1024
SEED = 7
LOUD = 24.0
"""How much more often the next byte of a chain is said than anything else."""

WORDS = (
    " the", " robot", " said", " then", " stopped", " and", " a", " caf", " hello", " world", " time", " of",
    " machine", " answer", " seven", " count", " blue", " river", " was", " is", " not", ".", ",", " (", ")", "\n",
    " \"yes\"", ":", " 42", " north", " {", " }", "The", " one", " two", " three", "ing", "s", " quiet", " glass",
)  # fmt: skip
CHAINS = ("é", "😀")
LINKS = [pair for chain in CHAINS for pair in zip(chain.encode(), chain.encode()[1:], strict=False)]
SPECIAL = ("<s>", "</s>")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)

Tensors = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]


def letters() -> dict[int, str]:
    """Byte-level BPE writes each byte as one printable letter: its own, or one from 256 on."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + at) for at, byte in enumerate(hidden)}


def vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    """The tokens by number, and the merges that lead to each word letter by letter."""
    table = letters()
    tokens = [*SPECIAL, *(table[byte] for byte in range(256))]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        spelt = [table[byte] for byte in word.encode()]
        for end in range(2, len(spelt) + 1):
            pair = ("".join(spelt[: end - 1]), spelt[end - 1])
            if pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
    return tokens, merges


def tensors(tokens: list[str]) -> Tensors:
    """Random weights under the names of transformers.

    Each link of a chain has a dimension of its own, loud in the embedding of one byte and in the output of the next.
    One more dimension is the same in every embedding, and takes from what is no word.
    """
    draw = np.random.default_rng(SEED)
    table = letters()

    def random(*shape: int, scale: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return (draw.standard_normal(shape) * scale).astype(np.float32)

    said = {"".join(table[byte] for byte in word.encode()) for word in WORDS}
    embed = random(len(tokens), WIDTH, scale=1.0)
    head = random(len(tokens), WIDTH, scale=0.6)
    head[[at for at, token in enumerate(tokens) if token not in said]] = 0
    head[1] = random(WIDTH, scale=0.3)
    embed[:, len(LINKS)] = 3
    head[:, len(LINKS)] = [-4 if token not in said else 0 for token in tokens]
    for dimension, (before, after) in enumerate(LINKS):
        embed[:, dimension] = 0
        head[:, dimension] = 0
        embed[tokens.index(table[before]), dimension] = LOUD
        head[tokens.index(table[after]), dimension] = LOUD
    for chain in CHAINS:
        first = tokens.index(table[chain.encode()[0]])
        head[first, len(LINKS) + 1 :] = random(WIDTH - len(LINKS) - 1, scale=0.6)
        head[first, len(LINKS)] = 0
    found = {"model.embed_tokens.weight": embed, "lm_head.weight": head, "model.norm.weight": np.ones(WIDTH, "f4")}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        for part in ("q", "k", "v", "o"):
            found[f"{name}.self_attn.{part}_proj.weight"] = random(WIDTH, WIDTH, scale=0.2)
        found[f"{name}.mlp.gate_proj.weight"] = random(INNER, WIDTH, scale=0.15)
        found[f"{name}.mlp.up_proj.weight"] = random(INNER, WIDTH, scale=0.15)
        found[f"{name}.mlp.down_proj.weight"] = random(WIDTH, INNER, scale=0.15)
        found[f"{name}.input_layernorm.weight"] = np.ones(WIDTH, "f4")
        found[f"{name}.post_attention_layernorm.weight"] = np.ones(WIDTH, "f4")
    for name, tensor in found.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor[: len(LINKS) + 1] = 0
    return found


def write_hf(directory: Path) -> None:
    """A folder that `AutoModelForCausalLM` and `AutoTokenizer` load."""
    from safetensors.numpy import save_file

    tokens, merges = vocabulary()
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors(tokens), directory / "model.safetensors", metadata={"format": "pt"})
    numbers = {token: at for at, token in enumerate(tokens)}
    added = [
        {"id": at, "content": token, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for at, token in enumerate(SPECIAL)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    documents = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": len(tokens),
            "hidden_size": WIDTH,
            "intermediate_size": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": CONTEXT,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "dtype": "float32",
        },
        "generation_config.json": {"bos_token_id": 0, "eos_token_id": 1},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL[0],
            "eos_token": SPECIAL[1],
            "pad_token": SPECIAL[1],
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": False,
            "chat_template": TEMPLATE,
        },
        "tokenizer.json": {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": level,
            "post_processor": None,
            "decoder": level,
            "model": {"type": "BPE", "vocab": numbers, "merges": merges, "byte_fallback": False},
        },
    }
    for name, document in documents.items():
        (directory / name).write_text(json.dumps(document), "utf-8")


def write_gguf(file: Path) -> None:
    """A GGUF file of the same weights: byte-level BPE, which llama.cpp calls gpt2."""
    import gguf

    tokens, merges = vocabulary()
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)
    names = {
        "model.embed_tokens": "token_embd",
        "lm_head": "output",
        "model.norm": "output_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "model.layers.": "blk.",
    }
    for name, tensor in tensors(tokens).items():
        for before, after in names.items():
            name = name.replace(before, after)
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    {"hf": write_hf, "gguf": write_gguf}[sys.argv[1]](Path(sys.argv[2]))
