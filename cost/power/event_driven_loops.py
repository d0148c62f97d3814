"""The loops of the event-driven simulation, compiled by Numba, which nothing else of a mapping needs."""

from typing import Any

import numba
import numpy as np

NEVER = np.int32(np.iinfo(np.int32).max)
"""After every change, in fs."""


@numba.njit(cache=True, nogil=True)
def simulate_cases(gates: Any, cases: Any, weights: Any, memory: Any, tallies: Any) -> bool:
    """Simulate cases and add to their tallies; false where the memory is too small for one of them.

    The arguments are the named tuples of `lmul.cost.power.event_driven`.
    """
    outputs, inputs, widths, tables, functions, delays = gates
    toggle_energy, watched, half = weights
    toggles, late, glitches, energy = tallies
    times, waiting = memory
    nets = toggles.shape[0]
    # Of every net: the place of its first change in `times`, and twice the number of its changes plus its
    # settled value.
    start = np.zeros(nets, dtype=np.int32)
    state = np.zeros(nets, dtype=np.int32)
    state[1] = 1
    place, end, upcoming = np.zeros((3, inputs.shape[1]), dtype=np.int32)
    changes_of, scratch = (start, state, times), (waiting, place, end, upcoming)
    for case in range(cases.before.shape[0]):
        top = _begin(cases, case, changes_of, toggles)
        for gate in range(outputs.shape[0]):
            index, events, single = 0, 0, 0
            for pin in range(widths[gate]):
                found = state[inputs[gate, pin]]
                index |= (found & 1) << pin
                events += found >> 1
                if found >> 1:
                    single = pin
            output = outputs[gate]
            state[output] = functions[tables[gate] + index]
            if top + events > times.shape[0]:
                return False
            if events == 1:
                # Most changes come alone: nothing to merge.
                result = functions[tables[gate] + (index ^ (1 << single))]
                if result != state[output]:
                    start[output] = top
                    times[top] = times[start[inputs[gate, single]]] + delays[gate, single, 1 - result]
                    top += 1
                    state[output] += 2
                    toggles[output] += 1
            elif events:
                start[output] = top
                changes = _merge(gates, gate, index, top, changes_of, scratch)
                state[output] += 2 * changes
                top += changes
                toggles[output] += changes
                if changes > 1:
                    glitches[output] += changes & ~1
                    energy[case] += (changes & ~1) * toggle_energy[output]
        for net in watched:
            for i in range(start[net], start[net] + (state[net] >> 1)):
                late[net] += times[i] > half
    return True


@numba.njit(inline="always")
def _begin(cases: Any, case: int, changes_of: Any, toggles: Any) -> int:
    """Let the sources change; give the number of those that do."""
    sources, delays = cases.sources, cases.delays
    before, after = cases.before[case], cases.after[case]
    start, state, times = changes_of
    top = 0
    for i in range(sources.shape[0]):
        changes = before[i] ^ after[i]
        start[sources[i]] = top
        state[sources[i]] = 2 * changes + before[i]
        toggles[sources[i]] += changes
        if changes:
            times[top] = delays[i, 1 - after[i]]
            top += 1
    return top


@numba.njit(inline="always")
def _merge(gates: Any, gate: int, index: int, top: int, changes_of: Any, scratch: Any) -> int:
    """Merge the changes of a gate's inputs into those of its output, from `top` on; give their number."""
    _, inputs, widths, tables, functions, delays = gates
    start, state, times = changes_of
    waiting, place, end, upcoming = scratch
    width, table = widths[gate], tables[gate]
    for pin in range(width):
        net = inputs[gate, pin]
        place[pin] = start[net]
        end[pin] = start[net] + (state[net] >> 1)
        upcoming[pin] = times[place[pin]] if place[pin] < end[pin] else NEVER
    wanted = driven = functions[table + index]
    first, due = top, 0
    while True:
        now = upcoming[0]
        for pin in range(1, width):
            now = min(now, upcoming[pin])
        # Delays that have passed: the output takes what the function is by then.
        while due and waiting[due - 1] < now:
            due -= 1
            if driven != wanted:
                driven = wanted
                times[top] = waiting[due]
                top += 1
        if now == NEVER:
            return top - first
        rise, fall = NEVER, NEVER
        for pin in range(width):
            if upcoming[pin] == now:
                index ^= 1 << pin
                place[pin] += 1
                upcoming[pin] = times[place[pin]] if place[pin] < end[pin] else NEVER
                rise = min(rise, delays[gate, pin, 0])
                fall = min(fall, delays[gate, pin, 1])
        if functions[table + index] != wanted:
            wanted = functions[table + index]
            due = _insert(waiting, due, now + (rise if wanted else fall))


@numba.njit(inline="always")
def _insert(waiting: Any, due: int, time: int) -> int:
    """Put a time among those that are due, the earliest last."""
    place = due
    while place and waiting[place - 1] < time:
        waiting[place] = waiting[place - 1]
        place -= 1
    waiting[place] = time
    return due + 1
