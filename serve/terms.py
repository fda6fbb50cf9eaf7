"""Whose data the weights were made of, and on what terms they may be used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Data that a training was shown."""

    name: str
    author: str
    address: str
    terms: str
    short: str  # its name and terms in the metadata
    commercial: bool = True  # whether its terms leave that open


DATASET = Source(
    "Brain Tumor MRI Dataset",
    "M. Nickparvar",
    "https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset",
    "CC0",
    "the Brain Tumor MRI Dataset, CC0",
)
FIGSHARE = Source(
    "figshare brain tumor dataset",
    "J. Cheng",
    "https://doi.org/10.6084/m9.figshare.1512427",
    "CC BY 4.0",
    "figshare 1512427, CC BY 4.0",
)
TCGA_LGG = Source(
    "LGG Segmentation Dataset",
    "M. Buda, of TCGA-LGG (TCIA)",
    "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation",
    "CC BY-NC-SA 4.0; TCGA-LGG itself CC BY 3.0",
    "the LGG Segmentation Dataset (CC BY-NC-SA 4.0) of TCGA-LGG (CC BY 3.0)",
    commercial=False,
)
OF_COLLECTION = {
    "br35h": Source(
        "Br35H's tumours",
        "A. Hamada",
        "https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
        "not stated",
        "Br35H's tumours (terms not stated)",
    ),
    "feltrin44": Source(
        "Brain Tumor MRI Images 44 Classes",
        "F. Feltrin",
        "https://www.kaggle.com/datasets/fernando2rad/brain-tumor-mri-images-44c",
        "not stated, ODC-BY for its sister set; the pictures seem to come from teaching cases: "
        "non-commercial research and education",
        "Brain Tumor MRI Images 44 Classes (non-commercial research and education)",
        commercial=False,
    ),
    "tcga_lgg_t1c": TCGA_LGG,
    "tcga_lgg_flair": TCGA_LGG,
    "pmram": Source(  # never trained on: copies of the dataset's pictures
        "PMRAM",
        "raw pictures",
        "https://doi.org/10.17632/m7w55sw88b.1",
        "CC BY 4.0",
        "PMRAM (CC BY 4.0)",
    ),
}


def sources_of(collections: Collection[str]) -> list[Source]:
    """What was trained on, each source once.

    Args:
        collections: other hospitals', see `serve.trained_on.collections_of`. Of one that is not
            known here, nothing is known to be allowed but research and education.
    """
    known = dict.fromkeys(_known(name) for name in sorted(collections))
    return [DATASET, FIGSHARE, *known]


def _known(name: str) -> Source:
    other = Source(name, "", "", "not known here", f"{name} (terms not known)", commercial=False)
    return OF_COLLECTION.get(name, other)


def others_than(collections: Collection[str]) -> list[Source]:
    """What is known here and was not trained on; figures may be of it."""
    trained = sources_of(collections)
    return [one for one in dict.fromkeys(OF_COLLECTION.values()) if one not in trained]


def is_commercial(collections: Collection[str]) -> bool:
    """Whether nothing that was trained on forbids commercial use of the weights."""
    return all(source.commercial for source in sources_of(collections))


def weights_terms(collections: Collection[str]) -> str:
    """The weights' terms, in sentences."""
    text = (
        "The weights are fine-tuned from VGG16 (K. Simonyan and A. Zisserman, Visual Geometry "
        "Group, University of Oxford, CC BY 4.0), whose terms go on applying to them."
    )
    if is_commercial(collections):
        return text
    names = [one.name for one in sources_of(collections) if not one.commercial]
    return (
        f"{text} They are for non-commercial research and education only, by the terms of "
        f"{' and of '.join(names)}, on which they were trained."
    )


def license_of(collections: Collection[str]) -> str:
    """The metadata property `license`, in a line."""
    *first, last = [source.short for source in sources_of(collections)]
    text = (
        "MIT (code); weights fine-tuned from VGG16, Oxford VGG, CC BY 4.0; "
        f"trained on {', '.join(first)}, and {last}"
    )
    if is_commercial(collections):
        return text
    return f"{text}; the weights for non-commercial research and education only"


def card_license(collections: Collection[str]) -> dict[str, str]:
    """What the front matter on Hugging Face says: `license`, and a name where it has none there.

    https://huggingface.co/docs/hub/repositories-licenses
    """
    if is_commercial(collections):
        return {"license": "mit"}
    return {"license": "other", "license_name": "non-commercial-research-and-education"}
