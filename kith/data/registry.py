"""Where the data sets come from, by the name of their source: addresses, checksums, terms of use.

Checksums are those that the publishers state (CUB-200-2011 at CaltechDATA, iNaturalist, CIFAR) or that libraries which
download the same files have verified for years (TensorFlow Datasets: COCO, Karpathy's splits; torchvision: flowers, and
Flickr8k in its R edition). A file without one is not pinned: what it gives is reported with its SHA-256.
"""

from typing import NamedTuple

from kith.data.download import File


class Recipe(NamedTuple):
    """How to get a data set: `files` to download, all into one folder, or what to do by hand, in words."""

    licence: str
    home: str
    files: tuple[File, ...] = ()
    by_hand: str = ""

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(file.bytes for file in self.files)


COCO = "http://images.cocodataset.org/"
COCO_MIRROR = "https://s3.amazonaws.com/images.cocodataset.org/"
COCO_LICENCE = "annotations CC BY 4.0; photographs under Flickr's terms of use, of their owners"
FLICKR8K = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
INAT = "https://ml-inat-competition-datasets.s3.amazonaws.com/"
INAT_LICENCE = "non-commercial research and education, images not to be passed on (iNaturalist competition terms)"
CIFAR = "https://www.cs.toronto.edu/~kriz/"
CIFAR_LICENCE = "no licence stated; cite Krizhevsky 2009"

KARPATHY = File(
    "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    "sha256:4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
    36_745_453,
)


def _coco(path: str, sha256: str, size: int) -> File:
    return File(COCO + path, f"sha256:{sha256}", size, (COCO_MIRROR + path,))


RECIPES: dict[str, Recipe] = {
    "cifar10": Recipe(
        CIFAR_LICENCE,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (File(f"{CIFAR}cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", 170_498_071),),
    ),
    "cifar100": Recipe(
        CIFAR_LICENCE,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (File(f"{CIFAR}cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85", 169_001_437),),
    ),
    "cub": Recipe(
        "non-commercial research and education (photographs of Flickr users)",
        "https://www.vision.caltech.edu/datasets/cub_200_2011/",
        (
            File(
                "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
                "md5:97eceeb196236b17998738112f37df78",
                root="CUB_200_2011",
            ),
        ),
    ),
    "flowers102": Recipe(
        "no licence stated; cite Nilsback and Zisserman 2008",
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        (
            File(f"{FLOWERS}102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa"),
            File(f"{FLOWERS}imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d"),
            File(f"{FLOWERS}setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c"),
        ),
    ),
    "inat2018": Recipe(
        INAT_LICENCE,
        "https://github.com/visipedia/inat_comp/tree/master/2018",
        (
            File(f"{INAT}2018/train_val2018.tar.gz", "md5:b1c6952ce38f31868cc50ea72d066cc3"),
            File(f"{INAT}2018/train2018.json.tar.gz", "md5:bfa29d89d629cbf04d826a720c0a68b0"),
            File(f"{INAT}2018/val2018.json.tar.gz", "md5:f2ed8bfe3e9901cdefceb4e53cd3775d"),
            File(f"{INAT}2018/categories.json.tar.gz"),
        ),
    ),
    "inat2019": Recipe(
        INAT_LICENCE,
        "https://github.com/visipedia/inat_comp/tree/master/2019",
        (
            File(f"{INAT}2019/train_val2019.tar.gz", "md5:c60a6e2962c9b8ccbd458d12c8582644"),
            File(f"{INAT}2019/train2019.json.tar.gz", "md5:b06a6683537867c0d5c7a45f407a306d"),
            File(f"{INAT}2019/val2019.json.tar.gz", "md5:5cc5509b0fe495f1c8c1362612448497"),
            File(f"{INAT}2019/categories.json.tar.gz"),
        ),
    ),
    "mit67": Recipe(
        "research only",
        "https://web.mit.edu/torralba/www/indoor.html",
        (
            File("http://groups.csail.mit.edu/vision/LabelMe/NewImages/indoorCVPR_09.tar"),
            File("http://web.mit.edu/torralba/www/TrainImages.txt"),
            File("http://web.mit.edu/torralba/www/TestImages.txt"),
        ),
    ),
    "flickr8k": Recipe(
        "non-commercial research and education (Hodosh, Young and Hockenmaier 2013)",
        "https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k",
        (
            File(f"{FLICKR8K}Flickr8k_Dataset.zip", "md5:f18a1e2920de5bd84dae7cf08ec78978"),
            File(f"{FLICKR8K}Flickr8k_text.zip", "md5:bf6c1abcb8e4a833b7f922104de18627"),
        ),
    ),
    "coco2014": Recipe(
        COCO_LICENCE,
        "https://cocodataset.org",
        (
            _coco(
                "zips/train2014.zip",
                "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
                13_510_573_713,
            ),
            _coco(
                "zips/val2014.zip",
                "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
                6_645_013_297,
            ),
            _coco(
                "annotations/annotations_trainval2014.zip",
                "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
                252_872_794,
            ),
            KARPATHY,
        ),
    ),
    "coco2017": Recipe(
        COCO_LICENCE,
        "https://cocodataset.org",
        (
            _coco(
                "zips/train2017.zip",
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
                19_336_861_798,
            ),
            _coco(
                "zips/val2017.zip",
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
                815_585_330,
            ),
            _coco(
                "annotations/annotations_trainval2017.zip",
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                252_907_541,
            ),
        ),
    ),
    "ilsvrc": Recipe(
        "non-commercial research and education, by agreement (ImageNet terms of access)",
        "https://image-net.org/download.php",
        by_hand="register at image-net.org, agree to the terms, and download ILSVRC2012_img_train.tar and "
        "ILSVRC2012_img_val.tar; unpack them to ILSVRC2012_img_train/<wnid>/ and ILSVRC2012_img_val/<wnid>/ (the "
        "validation part into a folder a class)",
    ),
    "nab": Recipe(
        "non-commercial research and education, by agreement (Cornell Lab of Ornithology)",
        "https://dl.allaboutbirds.org/nabirds",
        by_hand="fill in the form there, download nabirds.tar.gz, and unpack it",
    ),
    "cars": Recipe(
        "research only (ImageNet terms of access)",
        "https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        by_hand="the publisher's files are no longer online; bring cars_annos.mat and the folder car_ims from a copy",
    ),
    "ucmerced": Recipe(
        "public domain (photographs of the US Geological Survey)",
        "http://weegee.vision.ucmerced.edu/datasets/landuse.html",
        by_hand="download UCMerced_LandUse.zip, unpack it, and put train.txt and test.txt with one <class>/<picture> a "
        "line beside its folder Images; the publisher states no split",
    ),
    "resisc45": Recipe(
        "research only",
        "https://gcheng-nwpu.github.io/",
        by_hand="download NWPU-RESISC45 from the publisher's cloud folder, unpack it, and put train.txt and test.txt "
        "with one <class>/<picture> a line beside the class folders; the publisher states no split",
    ),
    "flickr30k": Recipe(
        "non-commercial research and education, by agreement (University of Illinois)",
        "https://shannon.cs.illinois.edu/DenotationGraph/",
        by_hand="fill in the form there, and unpack flickr30k-images.tar.gz and flickr30k.tar.gz "
        f"(results_20130124.token); dataset_flickr30k.json, of the usual split, is in {KARPATHY.url}",
    ),
    "politics": Recipe(
        "research only, articles and photographs of news sites",
        "https://people.cs.pitt.edu/~kovashka/",
        by_hand="ask the authors (Thomas and Kovashka, NeurIPS 2019) for complete_db.pickle and the pictures",
    ),
    "goodnews": Recipe(
        "research only, articles and photographs of the New York Times",
        "https://github.com/furkanbiten/GoodNews",
        by_hand="download captioning_dataset.json (there: article+caption.json), img_splits.json and the resized "
        "pictures from the cloud folder that its README names",
    ),
    "conceptual_captions": Recipe(
        "free for any purpose, provided as is (Google); pictures under the terms of their sites",
        "https://ai.google.com/research/ConceptualCaptions/download",
        by_hand="download the lists Train_GCC-training.tsv and Validation_GCC-1.1.0-Validation.tsv and, from the "
        "addresses in them, the pictures as train/<row>.jpg and val/<row>.jpg, rows counted from 0",
    ),
    "iapr_tc12": Recipe(
        "free of charge, without copyright restrictions (ImageCLEF)",
        "https://www.imageclef.org/photodata",
        by_hand="bring the features of Dorfer et al., IJMIR 2018, as arrays images and tfidf",
    ),
}
