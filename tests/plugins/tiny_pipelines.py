"""Pipelines of diffusers with random weights and tiny widths: the classes that users load.

Each function makes one; `save_pretrained` writes it as the library writes any other.
"""

from __future__ import annotations

import torch
from diffusers import (
    AutoencoderKL,
    DDIMPipeline,
    DDIMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def seeded(make):
    """Weights that do not depend on what was made before."""

    def call(*arguments, **options):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return make(*arguments, **options)

    return call


def ddim(**options):
    """A scheduler that ends at clean data, as the host's do; its noise is weak.

    Random weights predict no noise, and what is left of it in x_0 is divided by alpha.
    """
    own = {"beta_end": 0.002, "clip_sample": False, "steps_offset": 1}
    return DDIMScheduler(**{**own, **options})


@seeded
def unet(**options):
    """An unconditional UNet on 3 x 16 x 16."""
    return UNet2DModel(
        **{
            "sample_size": 16,
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
            "norm_num_groups": 4,
            **options,
        }
    ).eval()


def ddim_pipeline(network=None, scheduler=None):
    return DDIMPipeline(network or unet(), scheduler or ddim(clip_sample=True))


@seeded
def vae(channels=4, **options):
    """An autoencoder of 4 channels at half the side, its weights large enough to matter."""
    made = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        latent_channels=channels,
        norm_num_groups=4,
        **options,
    )
    return made.eval()


@seeded
def text_unet(**options):
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=4,
        **{"cross_attention_dim": 16, **options},
    ).eval()


@seeded
def clip_text(kind=CLIPTextModel):
    config = CLIPTextConfig(
        vocab_size=54,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8,
        projection_dim=16,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return kind(config).eval()


def clip_words():
    words = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(letter + "</w>" for letter in LETTERS)]
    numbered = {word: i for i, word in enumerate(words)}
    return CLIPTokenizer(vocab=numbered, merges=[], model_max_length=8)


@seeded
def t5_text():
    config = T5Config(
        vocab_size=32, d_model=32, d_kv=8, d_ff=16, num_layers=1, num_heads=2, dropout_rate=0.0
    )
    return T5EncoderModel(config).eval()


def t5_words():
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0)]
    letters = [(letter, -2.0) for letter in "▁" + LETTERS]
    return T5TokenizerFast(vocab=[*special, *letters], extra_ids=0, model_max_length=16)


def stable_diffusion(scheduler=None):
    return StableDiffusionPipeline(
        vae=vae(scaling_factor=0.5),
        text_encoder=clip_text(),
        tokenizer=clip_words(),
        unet=text_unet(),
        scheduler=scheduler or ddim(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl():
    large = {
        "cross_attention_dim": 32,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 64,
    }
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.5, latents_mean=[0.1, 0.2, 0.3, 0.4], latents_std=[1.0, 2, 3, 4]),
        text_encoder=clip_text(),
        text_encoder_2=clip_text(CLIPTextModelWithProjection),
        tokenizer=clip_words(),
        tokenizer_2=clip_words(),
        unet=text_unet(**large),
        scheduler=ddim(),
        add_watermarker=False,
    )


@seeded
def dit(scheduler=None):
    network = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=1000,
    )
    return DiTPipeline(network.eval(), vae(scaling_factor=0.5), scheduler or ddim())


@seeded
def sd3(**options):
    network = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        out_channels=4,
        pos_embed_max_size=8,
    )
    return StableDiffusion3Pipeline(
        transformer=network.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **options}),
        vae=vae(scaling_factor=1.5, shift_factor=0.25),
        text_encoder=clip_text(CLIPTextModelWithProjection),
        tokenizer=clip_words(),
        text_encoder_2=clip_text(CLIPTextModelWithProjection),
        tokenizer_2=clip_words(),
        text_encoder_3=t5_text(),
        tokenizer_3=t5_words(),
    )


@seeded
def flux(guidance_embeds=True):
    network = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=guidance_embeds,
    )
    return FluxPipeline(
        transformer=network.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(scaling_factor=1.5, shift_factor=0.25),
        text_encoder=clip_text(),
        tokenizer=clip_words(),
        text_encoder_2=t5_text(),
        tokenizer_2=t5_words(),
    )
