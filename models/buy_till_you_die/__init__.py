"""Buy-till-you-die models: the orders to expect of customers who order at random until they silently drop out, and their worth.

Fit with `fit_purchase_model(MbgNbd, OrderHistories.of(x, t_x, T))` and `fit_gamma_gamma(mean, count)`; ask the `model` of the `Fit`.
"""

from models.buy_till_you_die.bg_nbd import BgNbd
from models.buy_till_you_die.gamma_gamma import GammaGamma, fit_gamma_gamma
from models.buy_till_you_die.maximum_likelihood import Fit
from models.buy_till_you_die.mbg_nbd import MbgNbd
from models.buy_till_you_die.order_histories import OrderHistories
from models.buy_till_you_die.pareto_nbd import ParetoNbd
from models.buy_till_you_die.purchase_fit import fit_purchase_model
from models.buy_till_you_die.purchase_model import NEVER, PurchaseModel, SimulatedCustomers

__all__ = [
    "NEVER",
    "BgNbd",
    "Fit",
    "GammaGamma",
    "MbgNbd",
    "OrderHistories",
    "ParetoNbd",
    "PurchaseModel",
    "SimulatedCustomers",
    "fit_gamma_gamma",
    "fit_purchase_model",
]
