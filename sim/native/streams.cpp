// Bench of the array: AXI4-Stream tiles from a file, every row and flag compared; or clocked without a check.
//
// Arguments: FILE check PASSES PAUSE SEED [ROWS], a stream pausing PAUSE times in 256, and the bytes of all rows
// that came written to ROWS; or FILE bare CYCLES.
// FILE: bytes of a beat of a, of b, of a row of c, number of tiles; then for each tile its beats of a and b
// and its rows of c by number and bytes, then a byte of flags for each row. Numbers have 32 bits.
// CLOCK, RESET: ports of the design; RESET_ON: what RESET is while it is on.
// Output: compared rows, cycles, and processor time in seconds.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

static const unsigned PATIENCE = 20000;  // Cycles without a beat on any stream.
static const unsigned RESET_CYCLES = 4;
static const unsigned SETTLING_CYCLES = 200;

struct Stream {
    std::vector<uint8_t> data;
    std::vector<uint8_t> last;
    size_t bytes = 0;
    size_t next = 0;
    size_t done = 0;
    bool active = false;

    const uint8_t* beat() const { return &data[next * bytes]; }
    void advance() {
        active = false;
        ++done;
        if (++next == last.size()) next = 0;
    }
};

static uint32_t number(FILE* file) {
    uint32_t value;
    if (std::fread(&value, sizeof value, 1, file) != 1) std::exit(2);
    return value;
}

static void read_beats(FILE* file, Stream& stream) {
    const size_t count = number(file), start = stream.data.size();
    stream.data.resize(start + count * stream.bytes);
    if (std::fread(&stream.data[start], stream.bytes, count, file) != count) std::exit(2);
    stream.last.resize(stream.last.size() + count);
    stream.last.back() = 1;
}

// xorshift64 (Marsaglia 2003); its upper bits.
struct Random {
    uint64_t state;
    bool happens(unsigned of_256) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (state >> 56) < of_256;
    }
};

struct Bench {
    VerilatedContext context;
    Vbench top{&context};
    Stream a, b, c;
    std::vector<uint8_t> flags;

    void load(const char* path) {
        FILE* file = std::fopen(path, "rb");
        if (!file) std::exit(2);
        a.bytes = number(file);
        b.bytes = number(file);
        c.bytes = number(file);
        for (uint32_t tiles = number(file); tiles; --tiles) {
            read_beats(file, a);
            read_beats(file, b);
            read_beats(file, c);
            flags.resize(c.last.size());
            const size_t rows = number(file);
            if (std::fread(&flags[flags.size() - rows], 1, rows, file) != rows) std::exit(2);
        }
        std::fclose(file);
    }

    void settle() {
        top.CLOCK = 0;
        top.eval();
    }
    void rise() {
        top.CLOCK = 1;
        top.eval();
    }
    void put_a() {
        std::memcpy(&top.s_axis_a_tdata, a.beat(), a.bytes);
        top.s_axis_a_tlast = a.last[a.next];
    }
    void put_b() {
        std::memcpy(&top.s_axis_b_tdata, b.beat(), b.bytes);
        top.s_axis_b_tlast = b.last[b.next];
    }
    void reset() {
        top.RESET = RESET_ON;
        for (unsigned i = 0; i < RESET_CYCLES; ++i) {
            settle();
            rise();
        }
        top.RESET = !RESET_ON;
    }
    bool row_is_right() const {
        return !std::memcmp(&top.m_axis_c_tdata, c.beat(), c.bytes) && top.m_axis_c_tuser == flags[c.next] &&
               top.m_axis_c_tlast == c.last[c.next];
    }
};

static void print_bytes(const void* data, size_t bytes) {
    for (size_t i = bytes; i-- > 0;) std::printf("%02x", static_cast<const uint8_t*>(data)[i]);
}

static int wrong_row(const Bench& bench) {
    std::printf("row %zu gave 0x", bench.c.done);
    print_bytes(&bench.top.m_axis_c_tdata, bench.c.bytes);
    std::printf(" with flags %#x and last %d, the model 0x", bench.top.m_axis_c_tuser, bench.top.m_axis_c_tlast);
    print_bytes(bench.c.beat(), bench.c.bytes);
    std::printf(" with %#x and %d\n", bench.flags[bench.c.next], bench.c.last[bench.c.next]);
    return 1;
}

static double seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

static int check(Bench& bench, size_t passes, unsigned pause, uint64_t seed, FILE* rows_file) {
    Vbench& top = bench.top;
    Stream &a = bench.a, &b = bench.b, &c = bench.c;
    Random random{seed * 0x9E3779B97F4A7C15u + 1};
    const size_t a_beats = passes * a.last.size(), b_beats = passes * b.last.size();
    const size_t rows = passes * c.last.size();
    uint64_t cycles = 0, last_beat = 0;
    bool waiting = false;
    const double start = seconds();
    for (uint64_t end = UINT64_MAX; cycles < end; ++cycles) {
        if (!a.active && a.done < a_beats && !random.happens(pause)) {
            a.active = true;
            bench.put_a();
        }
        if (!b.active && b.done < b_beats && !random.happens(pause)) {
            b.active = true;
            bench.put_b();
        }
        top.s_axis_a_tvalid = a.active;
        top.s_axis_b_tvalid = b.active;
        top.m_axis_c_tready = !random.happens(pause);
        bench.settle();
        const bool took_a = a.active && top.s_axis_a_tready, took_b = b.active && top.s_axis_b_tready;
        const bool valid = top.m_axis_c_tvalid, row = valid && top.m_axis_c_tready;
        if (valid && c.done == rows) {
            std::printf("row %zu came that no tile was sent for\n", c.done);
            return 1;
        }
        if (valid && !bench.row_is_right()) return wrong_row(bench);
        if (row && rows_file) std::fwrite(&top.m_axis_c_tdata, c.bytes, 1, rows_file);
        if (waiting && !valid) {
            std::printf("row %zu was withdrawn before it was taken\n", c.done);
            return 1;
        }
        waiting = valid && !row;
        bench.rise();
        if (took_a) a.advance();
        if (took_b) b.advance();
        if (row) c.advance();
        if (took_a || took_b || row) last_beat = cycles;
        if (end == UINT64_MAX && c.done == rows && a.done == a_beats && b.done == b_beats) {
            end = cycles + SETTLING_CYCLES;
        } else if (cycles - last_beat > PATIENCE) {
            std::printf("row %zu never came: no stream moved for %u cycles\n", c.done, PATIENCE);
            return 1;
        }
    }
    std::printf("%zu %llu %.6f\n", rows, (unsigned long long)cycles, seconds() - start);
    return 0;
}

static int bare(Bench& bench, uint64_t cycles) {
    Vbench& top = bench.top;
    top.s_axis_a_tvalid = top.s_axis_b_tvalid = top.m_axis_c_tready = 1;
    const double start = seconds();
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
        bench.put_a();
        bench.put_b();
        bench.settle();
        bench.rise();
        bench.a.advance();
        bench.b.advance();
    }
    std::printf("0 %llu %.6f\n", (unsigned long long)cycles, seconds() - start);
    return 0;
}

int main(int argc, char** argv) {
    Bench bench;
    if (argc < 4) return 2;
    bench.load(argv[1]);
    bench.reset();
    if (!std::strcmp(argv[2], "bare")) return bare(bench, std::strtoull(argv[3], nullptr, 10));
    if (argc != 6 && argc != 7) return 2;
    FILE* rows_file = argc == 7 ? std::fopen(argv[6], "wb") : nullptr;
    if (argc == 7 && !rows_file) return 2;
    const int status = check(bench, std::strtoul(argv[3], nullptr, 10), std::strtoul(argv[4], nullptr, 10),
                             std::strtoull(argv[5], nullptr, 10), rows_file);
    return rows_file && std::fclose(rows_file) ? 2 : status;
}
