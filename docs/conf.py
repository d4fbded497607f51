"""How the documentation is built; it needs no network."""

import doctest
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "kmtoolkit"
author = "the kmtoolkit authors"
copyright = author
version = release = installed_version("kmtoolkit")

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "strategies",  # docs/_ext/strategies.py
]
exclude_patterns = ["_build", "_ext", "_templates", "gallery"]  # the pages of the scripts are in examples
templates_path = ["_templates"]
nitpicky = True

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

plot_formats = ["svg"]
plot_html_show_formats = plot_html_show_source_link = False
plot_rcparams = {
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "svg.hashsalt": "kmtoolkit",  # the same file for the same figure
}

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "within_subsection_order": "gallery_style.order",
    "reset_modules": ("gallery_style.apply",),  # docs/_ext/gallery_style.py
    "image_srcset": ["2x"],
    "capture_repr": (),
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "notebook_extensions": set(),
    "show_signature": False,
    "min_reported_time": 3600,  # no times
    "write_computation_times": False,
}

autodoc_typehints = "none"
autosummary_ignore_module_all = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Unlike Sphinx's default, the text of an expected exception is compared too.
doctest_default_flags = doctest.ELLIPSIS

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["kmtoolkit.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"*": [], "examples/*": [], "api": ["sidebar-nav-bs"], "api/generated/*": ["sidebar-nav-bs"]}
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
