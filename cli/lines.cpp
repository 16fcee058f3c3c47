// Reading standard input and writing standard output line by line.
#include "cli/lines.h"

#include <cerrno>
#include <cstdio>
#include <iostream>

#include "cli/command.h"
#include "cli/terminal.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink::cli {
namespace {

[[noreturn]] void fail_to_write() {
  if (errno == EPIPE) throw ClosedOutput();
  fail("cannot write to standard output: ", reason(errno));
}

}  // namespace

void write_line(const std::string& line) {
  const bool whole = std::fwrite(line.data(), 1, line.size(), stdout) == line.size();
  if (!whole || std::fputc('\n', stdout) == EOF) fail_to_write();
}

void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) fail_to_write();
}

void for_each_input_line(const std::string& verb,
                         const std::function<void(const std::string& line)>& f) {
  int64_t replaced = 0;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const bool whole = first_invalid_utf8(line) == line.size();
    replaced += !whole;
    f(whole ? line : replace_invalid_utf8(line));
  }
  check(!std::cin.bad(), "cannot read standard input");
  if (replaced > 0)
    notice(verb + ": " + std::to_string(replaced) + (replaced == 1 ? " line" : " lines") +
           " held bytes that are not UTF-8; replaced");
}

void for_each_input_block(const std::string& verb, size_t lines,
                          const std::function<void(std::vector<std::string>& block)>& f) {
  std::vector<std::string> block;
  for_each_input_line(verb, [&](const std::string& line) {
    block.push_back(line);
    if (block.size() == lines) {
      f(block);
      block.clear();
    }
  });
  if (!block.empty()) f(block);
}

Encoding encode_line(const Tokenizer& tokenizer, const std::string& line, int64_t max_length) {
  const Example e = example_of(line);
  const EncodeOptions options{.max_length = max_length};
  return e.pair.empty() ? tokenizer.encode(e.text, options)
                        : tokenizer.encode(e.text, e.pair, options);
}

Tokenizer find_tokenizer(const std::string& model, const std::string& vocabulary, bool cased) {
  if (model.empty() == vocabulary.empty()) throw UsageError("expected either --model or --vocab");
  if (!model.empty() && cased)
    throw UsageError("--cased goes with --vocab; the folder of --model says itself what it keeps");
  if (!model.empty()) return Tokenizer::load(model);
  return Tokenizer(Vocabulary::load(vocabulary), {.do_lower_case = !cased});
}

}  // namespace ink::cli
