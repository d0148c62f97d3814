// Bench of multipliers: pairs of codes and their products from standard input, against every design.
//
// Arguments: for each design, in the order of the port p, INDEX:NAME with the index of its products.
// Input: blocks of a 32-bit count n, n codes a, n codes b, and n products for each index, in fields of FIELD.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

using Codes = std::vector<FIELD>;

struct Expectation {
    size_t products;
    std::string name;
};

static bool read(void* data, size_t bytes) { return std::fread(data, 1, bytes, stdin) == bytes; }

static int disagree(const std::string& name, FIELD a, FIELD b, FIELD found, FIELD expected) {
    std::printf("%s: %#llx * %#llx gave %#llx, the model %#llx\n", name.c_str(), (unsigned long long)a,
                (unsigned long long)b, (unsigned long long)found, (unsigned long long)expected);
    return 1;
}

int main(int argc, char** argv) {
    VerilatedContext context;
    Vbench top{&context};
    constexpr size_t lanes = sizeof(top.a) / sizeof(FIELD);
    std::vector<Expectation> designs;
    size_t models = 0;
    for (int i = 1; i < argc; ++i) {
        char* name;
        const size_t index = std::strtoul(argv[i], &name, 10);
        designs.push_back({index, name + 1});
        if (index >= models) models = index + 1;
    }
    Codes a, b;
    std::vector<Codes> products(models);
    unsigned long long compared = 0;
    for (uint32_t count; read(&count, sizeof count);) {
        a.resize(count);
        b.resize(count);
        bool whole = read(a.data(), count * sizeof(FIELD)) && read(b.data(), count * sizeof(FIELD));
        for (Codes& column : products) {
            column.resize(count);
            whole = whole && read(column.data(), count * sizeof(FIELD));
        }
        if (!whole) {
            std::printf("a block of pairs is cut off\n");
            return 1;
        }
        for (size_t start = 0; start < count; start += lanes) {
            const size_t used = count - start < lanes ? count - start : lanes;
            std::memcpy(&top.a, &a[start], used * sizeof(FIELD));
            std::memcpy(&top.b, &b[start], used * sizeof(FIELD));
            top.eval();
            for (size_t d = 0; d < designs.size(); ++d) {
                const FIELD* expected = &products[designs[d].products][start];
                if (!std::memcmp(&top.p[d], expected, used * sizeof(FIELD))) continue;
                FIELD found[lanes];
                std::memcpy(found, &top.p[d], sizeof found);
                size_t lane = 0;
                while (found[lane] == expected[lane]) ++lane;
                return disagree(designs[d].name, a[start + lane], b[start + lane], found[lane], expected[lane]);
            }
            compared += used * designs.size();
        }
    }
    std::printf("%llu\n", compared);
    return 0;
}
