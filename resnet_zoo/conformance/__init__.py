"""What every backbone must keep, as rules that a plugin's own tests can run.

Each rule saves its author a failure that otherwise shows after hours on many GPUs: an unused parameter, a hidden
random seed, a state dict that does not bring the net back. ``resnet-zoo check-backbone NAME`` runs all of them; in
a test suite each becomes one test:

>>> import pytest
>>> from resnet_zoo.conformance import check, rules
>>> @pytest.mark.parametrize("rule", rules, ids=str)
... def test_conformance(rule):
...     check(rule, "mynet", width=8)
"""

from resnet_zoo.conformance.case import Case
from resnet_zoo.conformance.check import Outcome, RuleBroken, check, examine, rules
from resnet_zoo.conformance.rule import Rule

__all__ = ["Case", "Outcome", "Rule", "RuleBroken", "check", "examine", "rules"]
