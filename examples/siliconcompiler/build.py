"""From an exported dot product to a layout: `pip install siliconcompiler`, and the tools of its flow."""

from siliconcompiler import ASIC, Design
from siliconcompiler.targets import freepdk45_demo

NAME = "lmul_e4m3_dot8"


def main() -> None:
    """Run the flow and print its figures."""
    made = project()
    made.run()
    made.summary()


def project() -> ASIC:
    """Describe the design and what it is built for."""
    design = Design(NAME)
    design.set_dataroot("here", __file__)
    with design.active_dataroot("here"), design.active_fileset("rtl"):
        design.set_topmodule(NAME)
        design.add_file(f"{NAME}.v")
    with design.active_dataroot("here"), design.active_fileset("sdc"):
        design.add_file("clock.sdc")
    made = ASIC(design)
    made.add_fileset(["rtl", "sdc"])
    freepdk45_demo(made)
    return made


if __name__ == "__main__":
    main()
