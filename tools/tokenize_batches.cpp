// Batches of texts for tools/compare_tokenizers.py: binary requests in, ids and places out.
//
//   tokenize_batches FOLDER [COPY]    a model folder, saved as COPY where that is given; one thread
//
// A request is u32 flags, u32 max_length, u32 stride, u32 truncation, u32 count, then for each text
// u32 bytes and the bytes, twice for pairs. The answer is f64 seconds of encoding alone, then for
// each text u32 windows and for each window u32 tokens and i32 ids, segments, words, begins, ends.
// Flags: 1 pairs, 2 frame the texts, 4 no answer but the time, 8 windows. All of this machine's
// endianness.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "tensor/error.h"
#include "text/tokenizer.h"

namespace {

constexpr uint32_t kPairs = 1, kFramed = 2, kQuiet = 4, kWindows = 8;

bool read(void* to, size_t bytes) { return std::fread(to, 1, bytes, stdin) == bytes; }

uint32_t read_number() {
  uint32_t value = 0;
  ink::check(read(&value, sizeof value), "tokenize_batches: expected more of a request");
  return value;
}

std::string read_text() {
  std::string text(read_number(), '\0');
  ink::check(read(text.data(), text.size()), "tokenize_batches: expected more of a text");
  return text;
}

void write(const void* from, size_t bytes) { std::fwrite(from, 1, bytes, stdout); }
void write_number(size_t value) {
  const auto number = static_cast<uint32_t>(value);
  write(&number, sizeof number);
}
void write_numbers(const std::vector<int32_t>& values) {
  write(values.data(), values.size() * sizeof(int32_t));
}

void write(const ink::Encoding& e) {
  write_number(e.ids.size());
  write_numbers(e.ids);
  write_numbers(e.segments);
  write_numbers(e.words);
  for (const ink::Span& s : e.offsets) write(&s.begin, sizeof s.begin);
  for (const ink::Span& s : e.offsets) write(&s.end, sizeof s.end);
}

void serve(const ink::Tokenizer& tokenizer) {
  for (uint32_t flags = 0; read(&flags, sizeof flags);) {
    ink::EncodeOptions options;
    options.max_length = read_number();
    options.stride = read_number();
    options.truncation = static_cast<ink::Truncation>(read_number());
    const uint32_t count = read_number();
    std::vector<std::string> texts((flags & kPairs ? 2 : 1) * size_t{count});
    for (std::string& text : texts) text = read_text();
    std::vector<std::vector<ink::Encoding>> out(count);
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < count; ++i) {
      const std::string& a = texts[flags & kPairs ? 2 * i : i];
      const std::string& b = texts[flags & kPairs ? 2 * i + 1 : i];
      if (flags & kWindows)
        out[i] = flags & kPairs ? tokenizer.encode_windows(a, b, options)
                                : tokenizer.encode_windows(a, options);
      else if (flags & kPairs)
        out[i].push_back(tokenizer.encode(a, b, options));
      else
        out[i].push_back(flags & kFramed ? tokenizer.encode(a, options) : tokenizer.pieces(a));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double elapsed = seconds.count();
    write(&elapsed, sizeof elapsed);
    if (!(flags & kQuiet))
      for (const auto& windows : out) {
        write_number(windows.size());
        for (const ink::Encoding& e : windows) write(e);
      }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    ink::check(argc == 2 || argc == 3, "tokenize_batches: expected a model folder");
    const ink::Tokenizer tokenizer = ink::Tokenizer::load(argv[1]);
    if (argc == 3) tokenizer.save(argv[2]);
    serve(tokenizer);
  } catch (const ink::Error& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
