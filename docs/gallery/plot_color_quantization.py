r"""
A photograph in a few colors
============================

A color is a point with three coordinates: red, green and blue, each from 0 to 255.
k-means of the pixels gives a palette of k colors, and each pixel gets the nearest of
them. Lloyd found the iteration for the quantization of signals, one number at a time;
this is the same with three. For images see Paul Heckbert, *Color image quantization for
frame buffer display* (1982), and figure 9.3 of Christopher M. Bishop, *Pattern
Recognition and Machine Learning* (2006).

The photograph is *china.jpg* of scikit-learn, by danielbuechele, under the license CC
BY 2.0. Every second pixel of its rows and columns is left.
"""

import gallery_style as style
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import kmtoolkit as km

image = load_sample_image("china.jpg")[::2, ::2]
pixels = image.reshape(-1, 3)

# %%
# Pixels of the same color need no row each: a row counts as often as its weight says,
# and F stays the same.

colors, inverse, copies = np.unique(
    pixels, axis=0, return_inverse=True, return_counts=True
)
sizes = (2, 4, 8, 16, 32, 64)
fits = {k: km.kmeans(colors, k, sample_weight=copies, n_init=2, rng=0) for k in sizes}

# %%
# F is the sum of all squared errors. Divided by the number of pixels and channels it is
# the mean squared error, which for pictures is often given as the peak signal-to-noise
# ratio, PSNR = 10 log₁₀(255² / MSE) decibels. A pixel takes log₂ k bits instead of 24,
# and the palette adds 24 k bits to the picture.

psnr = {k: 10 * np.log10(255**2 * pixels.size / fits[k].objective) for k in sizes}
bits = {k: np.log2(k) + 24 * k / len(pixels) for k in sizes}

layout = [["original", 4], ["blank", "4p"], [16, 64], ["16p", "64p"]]
figure, panels = plt.subplot_mosaic(
    layout, figsize=(9.5, 7.9), height_ratios=[9, 1, 9, 1]
)
panels["original"].imshow(image)
panels["original"].set_title(f"{len(colors)} colors: 24 bits a pixel")
for k in (4, 16, 64):
    palette = fits[k].centers.round().astype(np.uint8)
    panels[k].imshow(palette[fits[k].labels[inverse.ravel()]].reshape(image.shape))
    panels[k].set_title(f"{k} colors: {bits[k]:.2f} bits, {psnr[k]:.1f} dB")
    by_light = palette[np.argsort(palette @ [0.299, 0.587, 0.114])]
    panels[f"{k}p"].imshow(by_light[np.newaxis], aspect="auto")
for axes in panels.values():
    axes.axis("off")

# %%
# The palettes stand beneath the pictures, from dark to light. Four colors tell light
# from dark, and the red of the building is lost. With 16 it is back, and the sky has
# bands. 64 colors are hard to tell from the original at this size.

figure, axes = plt.subplots(figsize=(7, 3.8))
axes.plot(list(bits.values()), list(psnr.values()), "o-", color=style.COLORS[0])
for k in sizes:
    style.label(axes, f"k = {k}", (bits[k], psnr[k]), (6, -11))
axes.set(xlabel="bits a pixel, palette included", ylabel="PSNR (dB)", xlim=(0.8, 6.7))
axes.set(ylim=(16, 34))
axes.set_title("What each bit gains")
axes.grid()

# %%
# Each doubling of k costs one bit a pixel. For large k the error of the best quantizer
# in three dimensions falls like :math:`k^{-2/3}` (Paul L. Zador, *Asymptotic
# quantization error of continuous signals and the quantization dimension*, 1982), which
# is 2 decibels a bit. The curve is steeper at first, and comes near that slope at its
# end.
