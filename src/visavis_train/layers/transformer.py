"""Pre-norm transformer layers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention over tokens (N, T, D) (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        return self.mix(*self.project(x))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, T, D) -> queries, keys and values, each (N, heads, T, D/heads)."""
        n, t, d = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def ask(self, x: Tensor) -> Tensor:
        """(N, T, D) -> only queries (N, heads, T, D/heads)."""
        n, t, d = x.shape
        q = self._part(x, slice(d))
        return q.reshape(n, t, self.heads, d // self.heads).transpose(1, 2)

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, D) -> only keys and values, each (N, heads, T, D/heads)."""
        n, t, d = x.shape
        both = self._part(x, slice(d, None))
        k, v = both.reshape(n, t, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return k, v

    def _part(self, x: Tensor, columns: slice) -> Tensor:
        """Some columns of queries, keys and values.

        An open end must stay open: only so are embedded networks exported as they were, and can be read back.
        """
        if type(self.qkv) is not nn.Linear:  # Quantised weights are packed: they cannot be cut.
            result: Tensor = self.qkv(x)[..., columns]
            return result
        return functional.linear(x, self.qkv.weight[columns], self.qkv.bias[columns])

    def mix(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """The result of :meth:`project` -> (N, T, D); ``bias`` is added to the scores before the softmax."""
        mixed = functional.scaled_dot_product_attention(q, k, v, bias)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result


class TransformerLayer(nn.Module):
    """Pre-norm attention and MLP.

    Args:
        width: D of the tokens (N, T, D); a multiple of ``heads``.
        heads: attention heads.
        mlp_ratio: hidden width of the MLP over ``width``.
        drop_path: chance to skip a branch in training, per face (Huang et al. 2016, arXiv:1603.09382).
        dropout: share of a branch's output dropped in training (Vaswani et al. 2017, section 5.4).
    """

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, drop_path: float, dropout: float = 0.0
    ) -> None:
        super().__init__()
        hidden = round(width * mlp_ratio)
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = x + self._skip(self.dropout(self.attention(self.norm1(x))))
        return x + self._skip(self.dropout(self.mlp(self.norm2(x))))

    def _skip(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return branch
        kept = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(kept).div_(kept)
