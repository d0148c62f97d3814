"""Placements as DEF, for layout tools."""

from collections.abc import Iterator

from lmul.cost.layout.files.names import escaped, escaped_nets
from lmul.cost.layout.placement.placement import Pin, Placement


def def_text(placement: Placement) -> str:
    """Write a placement in the Design Exchange Format 5.8.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    str
        Rows, placed cells, ports as pins on the border, and nets without wires. Supplies are not in it.
    """
    return "\n".join(
        [*_head(placement), *_components(placement), *_pins(placement), *_nets(placement), "END DESIGN", ""]
    )


def _head(placement: Placement) -> Iterator[str]:
    plan, units = placement.floorplan, placement.technology.database_units
    yield "VERSION 5.8 ;"
    yield 'DIVIDERCHAR "/" ;'
    yield 'BUSBITCHARS "[]" ;'
    yield f"DESIGN {placement.netlist.name} ;"
    yield f"UNITS DISTANCE MICRONS {units} ;"
    yield f"DIEAREA ( 0 0 ) ( {round(plan.width_um * units)} {round(plan.height_um * units)} ) ;"
    step = round(plan.site.width_um * units)
    for row in range(plan.rows):
        side = ("N", "FS")[row % 2]
        up = round(row * plan.site.height_um * units)
        yield f"ROW row{row} {plan.site.name} 0 {up} {side} DO {plan.columns} BY 1 STEP {step} 0 ;"
    across, vertical = placement.technology.wires()
    for direction, layer, length in (("Y", across, plan.height_um), ("X", vertical, plan.width_um)):
        pitch = max(1, round(layer.pitch_um * units))
        count = max(1, int(length * units // pitch))
        yield f"TRACKS {direction} {pitch // 2} DO {count} STEP {pitch} LAYER {layer.name} ;"


def _components(placement: Placement) -> Iterator[str]:
    instances = placement.netlist.instances
    yield f"COMPONENTS {len(instances)} ;"
    site, units = placement.floorplan.site, placement.technology.database_units
    for place, instance in enumerate(instances):
        x = round(int(placement.column[place]) * site.width_um * units)
        y = round(int(placement.row[place]) * site.height_um * units)
        side = "FS" if placement.upside_down(place) else "N"
        yield f"- {escaped(instance.name)} {instance.cell.name} + PLACED ( {x} {y} ) {side} ;"
    yield "END COMPONENTS"


def _pins(placement: Placement) -> Iterator[str]:
    names, units = escaped_nets(placement.netlist), placement.technology.database_units
    across, vertical = placement.technology.wires()
    bits = [
        (name, net, port.direction) for port in placement.netlist.ports for name, net in port.bits.items()
    ]
    yield f"PINS {len(bits)} ;"
    for name, net, direction in bits:
        x, y = (round(value * units) for value in placement.ports[name])
        sideways = x in (0, round(placement.floorplan.width_um * units))
        layer = across if sideways else vertical
        half = max(1, round(layer.width_um * units / 2))
        wire = f" + NET {names[net]}" if names[net] else ""
        yield f"- {escaped(name, bus=True)}{wire} + DIRECTION {direction.upper()} + USE SIGNAL"
        yield f"  + LAYER {layer.name} ( {-half} {-half} ) ( {half} {half} ) + PLACED ( {x} {y} ) N ;"
    yield "END PINS"


def _nets(placement: Placement) -> Iterator[str]:
    names = escaped_nets(placement.netlist)
    nets = [(net, pins) for net, pins in enumerate(placement.pins) if pins]
    yield f"NETS {len(nets)} ;"
    for net, pins in nets:
        yield f"- {names[net]}"
        yield f"  {' '.join(_pin(placement, pin) for pin in pins)} ;"
    yield "END NETS"


def _pin(placement: Placement, pin: Pin) -> str:
    if pin.instance < 0:
        return f"( PIN {escaped(pin.name, bus=True)} )"
    return f"( {escaped(placement.netlist.instances[pin.instance].name)} {pin.name} )"
