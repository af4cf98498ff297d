"""Models for PyTorch and from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from .network import Network

if TYPE_CHECKING:
    from typing import Unpack

    import torch

    from ..network.config_fields import ConfigFields


class TorchState(Network):
    """A network that becomes a state_dict of PyTorch, and is made from one."""

    def to_torch(
        self, names: str | Mapping[str, str] | Mapping[str, torch.Tensor] = "lenet_c"
    ) -> dict[str, torch.Tensor]:
        """Return the parameters as a state_dict for a PyTorch module.

        Parameters
        ----------
        names : str or dict
            A name of the table below; a dict of layer -> name, for example ``{"c1": "conv1"}``,
            in which layers that are not named keep theirs; or the module's own ``state_dict()``,
            whose names, shapes and types are taken as `from_torch` recognises them.

        Returns
        -------
        state : dict of str to torch.Tensor
            Copies, on the CPU. C5 is nn.Conv2d, its weights (120, 16, k, k), or nn.Linear,
            (120, 16 k k), k = 5 (4 for an input below 32). Subsampling coefficients and biases,
            and the codes of RBF units, have their names here everywhere: "s2.coefficient" (6,),
            "s2.bias" (6,), "s4.coefficient" (16,), "s4.bias" (16,), "output.codes" (classes, 84).

        Raises
        ------
        ImportError
            PyTorch is not installed.
        ValueError
            The module is another network; the message lists its parameters.

        Notes
        -----
        =====================  ==========  ==========  ============  ============  ============
        names                  c1          c3          c5            f6            output
        =====================  ==========  ==========  ============  ============  ============
        "lenet_c"              c1          c3          c5            f6            output
        "conv2_fc3"            conv1       conv2       fc1 (Linear)  fc2           fc3
        "conv3_fc2"            conv1       conv2       conv3         fc1           fc2
        "features_classifier"  features.0  features.3  classifier.0  classifier.2  classifier.4
                                                       (Linear)
        "sequential"           0           3           7 (Linear)    9             11
        =====================  ==========  ==========  ============  ============  ============
        """
        from ..export import torch_state

        return torch_state.to_torch(self.parameters(), names)

    @classmethod
    def from_torch(
        cls,
        state: Mapping[str, object],
        preset: str = "softmax",
        *,
        names: str | Mapping[str, str] | None = None,
        **overrides: Unpack[ConfigFields],
    ) -> Self:
        """Make a model of the parameters of a PyTorch module.

        Parameters
        ----------
        state : dict of str to torch.Tensor or array_like
            The module's ``state_dict()``; tensors of any floating type on any device.
        preset : str
            What the module computes with them: a preset that `overrides` turns into its
            activation, subsampling, input size and levels. A state_dict says nothing of these.
        names : str or dict, optional
            See `to_torch`. None: layers are recognised by the shapes of their weights, whatever
            they are called and in any order; what has no layer's shape by its name, see
            `to_torch`, after any prefix.
        **overrides
            Other fields of `lenet_c.Config`. Without `classes`, `class_names` and `codes`, there
            are as many classes as the output layer has units.

        Returns
        -------
        LeNet5

        Raises
        ------
        TypeError
            `state` is not a dict.
        ValueError
            Parameters are missing, unexpected, of another shape, or not finite; the message lists
            them. Weights of C3 that are not 0 where the preset has no connection.
        """
        from ..export import torch_state

        return torch_state.from_torch(cls, state, preset, names, overrides)
