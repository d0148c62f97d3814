"""What cocotb tells a simulation: the runner's own environment, above that of the process."""

from cocotb_tools.runner import Runner


class GivenEnvironment(Runner):
    """A runner of cocotb's whose `extra_env`, filter and seed stand above what the process has of them.

    cocotb has it the other way round, so that a variable that a shell left behind would change a run.
    """

    def _set_env_test(self) -> None:
        given = dict(self.env)
        super()._set_env_test()
        self.env |= given
