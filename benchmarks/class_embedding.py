"""Taxonomies and class embeddings."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import ROOT, Way
from benchmarks.table import Case
from kith.class_embedding import class_embedding
from kith.taxonomy import Taxonomy

TITLE = "Taxonomies and class embeddings"
ABOUT = """n classes of a made-up tree, and, where their files are (--set files=FOLDER), those of ILSVRC, NABirds
and iNaturalist. The answer of an embedding is its dot products, or, of "mds", its distances. "Barz & Denzler": what
their program took, on the two-core machine where Kith began: 0.81 s at n = 555 and 6.2 s at 1,000 for the unit
sphere, 1.9 s for LCSH at 1,000. The limit: a product of two n × n matrices;
of "mds" and "approx_sim" LAPACK's eigenvectors, alone and by the faster of its ways (all of them at 100 classes, the
largest 64 above): with the reduction to a tridiagonal matrix, with which every way to exact eigenvectors begins, they
are most of what ours and the others do, so that no way is 10 times as fast. What is over are the checks of the matrix,
a 65th eigenvalue, which shows a cut between equals, and in "approx_sim" the search for twins, which makes large
taxonomies cheaper."""
PUBLISHED = {("unitsphere", 555): 0.81, ("unitsphere", 1000): 6.2, ("LCSH", 1000): 1.9}
CUT = 64  # dimensions


@cache
def tree(count: int) -> Taxonomy:
    """`count` leaves under nodes of 3 to 5 children."""
    random, edges, level, node = np.random.default_rng(0), [], list(range(count)), count
    while len(level) > 1:
        above, start = [], 0
        while start < len(level):
            width = int(random.integers(3, 6))
            edges += [(node, child) for child in level[start : start + width]]
            above.append(node)
            node, start = node + 1, start + width
        level = above
    return Taxonomy.from_edges(edges)


@cache
def target(count: int) -> np.ndarray:
    """Similarities of the tree, and a thousandth of others at random: of equal eigenvalues any vectors are right."""
    rows = np.random.default_rng(0).standard_normal((count, count))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return 0.999 * tree(count).similarity() + 0.001 * rows @ rows.T


def similarity(count: int, measure: str) -> Callable[[], Any]:
    taxonomy = tree(count)
    return lambda: taxonomy.similarity(None, measure)


def of_paths(count: int, measure: str) -> Callable[[], Any]:
    """As its definition has it: for each pair of leaves the ancestors that both have."""
    taxonomy = tree(count)
    parents = {taxonomy.nodes[child]: taxonomy.nodes[parent] for parent, child in taxonomy.edges}
    heights: dict[Any, int] = {}

    def above(node: Any) -> list[Any]:
        found = [node]
        while found[-1] in parents:
            found.append(parents[found[-1]])
        return found

    def work() -> np.ndarray:
        chains = {leaf: above(leaf) for leaf in taxonomy.leaves}
        for chain in chains.values():
            for height, node in enumerate(chain):
                heights[node] = max(heights.get(node, 0), height)
        highest, rows = max(heights.values()), []
        for leaf in taxonomy.leaves:
            known = set(chains[leaf])
            common = [next(node for node in chains[other] if node in known) for other in taxonomy.leaves]
            rows.append([1 - heights[node] / highest for node in common])
        return np.array(rows)

    return work


def embedding(count: int, method: str, dim: int | None) -> Callable[[], Any]:
    given = target(count)
    return lambda: class_embedding(given, method, dim)


def largest_eigenvalues(count: int, dim: int) -> Callable[[], Any]:
    """All eigenvectors, of which the largest are taken."""
    given = target(count)

    def work() -> np.ndarray:
        values, vectors = np.linalg.eigh(given)
        return vectors[:, -dim:] * np.sqrt(values[-dim:])

    return work


def by_roots(count: int) -> Callable[[], Any]:
    """A root of the similarities by their eigenvectors."""
    given = target(count)

    def work() -> np.ndarray:
        values, vectors = np.linalg.eigh(given)
        return vectors * np.sqrt(values)

    return work


def scikit_mds(count: int, dim: int) -> Callable[[], Any]:
    from sklearn.manifold import ClassicalMDS

    distances = 1 - target(count)
    np.fill_diagonal(distances, 0)
    return lambda: ClassicalMDS(n_components=dim, metric="precomputed").fit_transform(distances)


def same_products(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-7)


def product(count: int) -> Callable[[], Any]:
    given = target(count)
    return lambda: given @ given


def eigenvectors(count: int, dim: int) -> Callable[[], Any]:
    import scipy.linalg

    given = target(count)
    if count < 3 * dim:
        return lambda: scipy.linalg.eigh(given, check_finite=False, driver="evd")
    return lambda: scipy.linalg.eigh(given, subset_by_index=[count - dim, count - 1], check_finite=False, driver="evr")


def read(path: Path, order: str, ids: type) -> Callable[[], Any]:
    def work() -> int:
        return len(Taxonomy.read(path, order, ids=ids).leaves)

    return work


def of_file(path: Path, order: str, ids: type) -> Callable[[], Any]:
    def work() -> int:
        return len(class_embedding(Taxonomy.read(path, order, ids=ids).similarity()))

    return work


def _files(folder: Path) -> Iterator[Case]:
    wordnet = folder / "ilsvrc/wordnet.parent-child.pruned.txt.gz"
    yield Case("ILSVRC's graph: read", 73_473, Way(read, (wordnet, "parent-child", str)))
    birds = ("NABirds: file to unit sphere", 555, Way(of_file, (folder / "nab/hierarchy.txt", "child-parent", int)))
    yield Case(*birds, published={"Barz & Denzler": PUBLISHED["unitsphere", 555]})
    nature = folder / "inat/hierarchy_inat.txt"
    yield Case("iNat2018: file to unit sphere", 8142, Way(of_file, (nature, "parent-child", str)))


def cases(
    quick: bool, *, sizes: tuple[int, ...] = (100, 1000, 4000), files: str = str(ROOT / "../shared/hierarchies")
) -> Iterator[Case]:
    for count in sizes[:2] if quick else sizes:
        limit = ("a product", Way(product, (count,)))

        def published(step: str, count: int = count) -> dict[str, float]:
            return {"Barz & Denzler": PUBLISHED[step, count]} if (step, count) in PUBLISHED else {}

        few = count <= 1000
        naive = {"pairs of paths": Way(of_paths, (count, "lcsh"))} if few else {}
        yield Case("LCSH", count, Way(similarity, (count, "lcsh")), naive, published("LCSH"), limit, 1e-12)
        yield Case("WUP", count, Way(similarity, (count, "wup")), limit=limit)
        yield Case(
            *("unitsphere", count, Way(embedding, (count, "unitsphere", None)), {"eigh": Way(by_roots, (count,))}),
            *(published("unitsphere"), limit),
            same=same_products,
        )
        yield Case("spheres", count, Way(embedding, (count, "spheres", None)), limit=limit)
        if count > CUT:
            library = {"scikit-learn": Way(scikit_mds, (count, CUT))}
            limit = ("eigenvectors", Way(eigenvectors, (count, CUT)))
            yield Case(
                f"mds to {CUT}", count, Way(embedding, (count, "mds", CUT)), library, limit=limit, same=same_products
            )
            whole = {"eigh": Way(largest_eigenvalues, (count, CUT))}
            yield Case(
                f"approx_sim to {CUT}",
                count,
                Way(embedding, (count, "approx_sim", CUT)),
                whole,
                limit=limit,
                same=same_products,
            )
    folder = Path(files)
    if folder.exists() and not quick:
        yield from _files(folder)
