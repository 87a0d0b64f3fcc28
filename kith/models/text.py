"""Text towers: padded word numbers (B, L) and lengths (B,) to (B, out_features) vectors."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from kith.models.features import TfidfTower
from kith.text.tokenizer import Tokenizer


class GRUTower(nn.Module):
    """Word embedding and a GRU; the last state is the text's vector (Thomas & Kovashka, ECCV 2020)."""

    def __init__(self, words: int, embedding: int = 200, hidden: int = 512, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=Tokenizer.PAD)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.out_features, self.part_features = hidden, embedding

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self._last(self.dropout(self.embedding(tokens)), lengths)

    def parts(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `forward` gives, the embeddings of the words (B, L, part_features), and where there are none (B, L)."""
        embedded = self.dropout(self.embedding(tokens))
        return self._last(embedded, lengths), embedded, tokens == Tokenizer.PAD

    def _last(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.gru(packed)[1][-1]


class BagTower(nn.Module):
    """Mean of the word embeddings through one hidden layer: word order is not seen."""

    def __init__(self, words: int, embedding: int = 200, hidden: int = 512, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding, padding_idx=Tokenizer.PAD)
        self.mix = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding, hidden), nn.ReLU(inplace=True))
        self.out_features, self.part_features = hidden, embedding

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.parts(tokens, lengths)[0]

    def parts(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `forward` gives, the embeddings of the words (B, L, part_features), and where there are none (B, L)."""
        embedded, absent = self.embedding(tokens), tokens == Tokenizer.PAD
        total = (embedded * ~absent.unsqueeze(2)).sum(dim=1)
        return self.mix(total / lengths.clamp(min=1).unsqueeze(1)), embedded, absent


TextTower = GRUTower | BagTower | TfidfTower


def text_tower(
    tower: str, words: int, embedding: int = 200, hidden: int = 512, layers: int = 2, dropout: float = 0.0
) -> TextTower:
    """The tower named in a method's parameters. Raises ValueError if it does not take texts.

    >>> tower = text_tower("bag", words=10, embedding=4, hidden=8)
    >>> tuple(tower(torch.tensor([[2, 5, 3]]), torch.tensor([3])).shape)
    (1, 8)
    """
    if tower == "tfidf":
        return TfidfTower(words, hidden, layers)
    if tower not in ("gru", "bag"):
        raise ValueError(f"the {tower} tower does not take texts; choose gru, bag or tfidf")
    kind = GRUTower if tower == "gru" else BagTower
    return kind(words, embedding, hidden, dropout)


@torch.no_grad()
def load_word_vectors(tower: nn.Module, vocabulary: Tokenizer, vectors: dict[str, Tensor]) -> int:
    """Start the embeddings of known words from `vectors` (word → (embedding,)); returns how many were known.

    Raises ValueError if the tower embeds no words, or vectors of another length.

    >>> from kith.text.tokens import Vocabulary
    >>> tower = text_tower("bag", words=6, embedding=1)
    >>> load_word_vectors(tower, Vocabulary(["red", "fox"]), {"fox": torch.tensor([0.5])})
    1
    """
    if not isinstance(tower, GRUTower | BagTower):
        raise ValueError("train.text.pretrained_words: only the gru and bag towers have word embeddings")
    weight = tower.embedding.weight
    known = 0
    for number, word in enumerate(vocabulary.words, start=len(Tokenizer.MARKS)):
        vector = vectors.get(word)
        if vector is None:
            continue
        if vector.shape != weight[number].shape:
            raise ValueError(
                f"word vectors have {vector.numel()} dimensions and the text tower's embedding {weight.shape[1]}: "
                "make train.text.embedding equal to text.doc2vec.dim"
            )
        weight[number] = vector
        known += 1
    return known


@torch.no_grad()
def load_inverse_frequency(tower: TfidfTower, tokens: np.ndarray) -> None:
    """Set log((1 + n) / (1 + texts with the word)) + 1 from the tokens (n, L) of the training texts.

    >>> tower = TfidfTower(words=6, hidden=2)
    >>> load_inverse_frequency(tower, np.array([[2, 4, 3, 0], [2, 4, 5, 3]]))
    >>> tower.inverse_frequency.round(decimals=2).tolist()[:5]
    [0.0, 0.0, 0.0, 0.0, 1.0]
    """
    import scipy.sparse as sp  # of tf-idf alone

    rows = np.repeat(np.arange(len(tokens)), tokens.shape[1])
    present = sp.coo_matrix((np.ones(tokens.size, dtype=bool), (rows, tokens.ravel()))).tocsr()
    frequency = np.zeros(len(tower.inverse_frequency))
    frequency[: present.shape[1]] = (present > 0).sum(axis=0)
    weight = np.log((1 + len(tokens)) / (1 + frequency)) + 1
    weight[: len(Tokenizer.MARKS)] = 0
    tower.inverse_frequency.copy_(torch.from_numpy(weight))
