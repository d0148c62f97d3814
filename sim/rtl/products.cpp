// Bench of one multiplier, which keeps what it gives: pairs of codes from standard input, products to a file, for
// the multiplier may print what it likes.
//
// Arguments: LATENCY HOLD FILE. Input: a 32-bit count n, n codes a, n codes b. File: n products, and how many of them
// moved while their operands were held for HOLD cycles more; all of 32 bits.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

static constexpr int RESET_CYCLES = 8;

using Words = std::vector<uint32_t>;

static bool read(Words& words) { return std::fread(words.data(), 4, words.size(), stdin) == words.size(); }

static void cycle([[maybe_unused]] Vbench& top) {
    top.eval();
#ifdef CLOCKED
    top.clk = 1;
    top.eval();
    top.clk = 0;
#endif
    top.eval();
}

static void reset([[maybe_unused]] Vbench& top) {
#ifdef RESET_ON
    top.rst = !RESET_ON;
    top.eval();
    top.rst = RESET_ON;
#endif
    for (int i = 0; i < RESET_CYCLES; ++i) cycle(top);
#ifdef RESET_ON
    top.rst = !RESET_ON;
#endif
}

int main(int, char** argv) {
    const size_t latency = std::strtoul(argv[1], nullptr, 10), hold = std::strtoul(argv[2], nullptr, 10);
    VerilatedContext context;
    Vbench top{&context};
    Words count(1);
    if (!read(count)) return 1;
    const size_t pairs = count[0];
    Words a(pairs), b(pairs), products(pairs);
    if (!read(a) || !read(b)) return 1;
    uint32_t moved = 0;
    reset(top);
    for (size_t n = 0; n < pairs + latency; ++n) {
        const size_t pair = n < pairs ? n : pairs - 1;
        top.a = a[pair];
        top.b = b[pair];
        for (size_t i = 0; i < hold; ++i) cycle(top);
        top.eval();
        if (n >= latency) products[n - latency] = top.p;
        bool stays = true;
        for (size_t i = 0; i < hold; ++i) {
            cycle(top);
            stays = stays && top.p == products[n];
        }
        moved += !stays;
        if (!hold) cycle(top);
    }
    std::FILE* file = std::fopen(argv[3], "wb");
    if (!file) return 1;
    std::fwrite(products.data(), 4, pairs, file);
    std::fwrite(&moved, 4, 1, file);
    return std::fclose(file) != 0;
}
