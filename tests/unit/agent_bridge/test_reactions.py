import signal

import pytest

from agent_bridge.reactions import HEEDED, Reaction, Reactions


@pytest.mark.parametrize(
    ("received", "reaction"),
    [
        (signal.SIGINT, Reaction.EVERYONE),
        (signal.SIGQUIT, Reaction.EVERYONE),
        (signal.SIGWINCH, Reaction.EVERYONE),
        (signal.SIGCONT, Reaction.EVERYONE),
        (signal.SIGUSR1, Reaction.ROOT_ONLY),
        (signal.SIGUSR2, Reaction.ROOT_ONLY),
        (signal.SIGTERM, Reaction.END),
        (signal.SIGHUP, Reaction.END),
        (signal.SIGTSTP, Reaction.SUSPEND),
    ],
)
def test_the_first_of_a_signal_means(received: signal.Signals, reaction: Reaction) -> None:
    assert Reactions(5).to(received, 100, ending=False) is reaction
    assert received in HEEDED


def test_a_second_interrupt_soon_after_the_first_ends_the_tree() -> None:
    reactions = Reactions(5)
    reactions.to(signal.SIGINT, 100, ending=False)
    assert reactions.to(signal.SIGINT, 105, ending=False) is Reaction.END


def test_a_second_interrupt_much_later_is_a_first_one_again() -> None:
    reactions = Reactions(5)
    reactions.to(signal.SIGINT, 100, ending=False)
    assert reactions.to(signal.SIGINT, 105.1, ending=False) is Reaction.EVERYONE
    assert reactions.to(signal.SIGINT, 106, ending=False) is Reaction.END


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_asks_for_the_end_again_gets_it_sooner(received: signal.Signals) -> None:
    assert Reactions(5).to(received, 100, ending=True) is Reaction.HURRY
