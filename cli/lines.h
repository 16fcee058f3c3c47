// Lines of standard input and output, what verbs make of them, and how they find a tokenizer.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tasks/examples.h"
#include "text/tokenizer.h"

namespace ink::cli {

// Calls f(line) for each line of stdin, without its end. Bytes that are not UTF-8 become U+FFFD, of
// which `verb` gives notice at the end.
void for_each_input_line(const std::string& verb,
                         const std::function<void(const std::string& line)>& f);
// The same in blocks, for work that is done on several lines at once.
void for_each_input_block(const std::string& verb, size_t lines,
                          const std::function<void(std::vector<std::string>& block)>& f);

// Whoever read standard output has gone: nothing is left to do, and nothing to say.
class ClosedOutput {};

// Writes a line to stdout. Raises ClosedOutput or Error once stdout takes no more, so that a filter
// ends with its reader and not with its input.
void write_line(const std::string& line);
// The same for all that is still on its way to stdout.
void flush_output();

// A line (example_of) as tokens, cut to max_length (0: unlimited) as features are.
Encoding encode_line(const Tokenizer& tokenizer, const std::string& line, int64_t max_length);

// The tokenizer of a model folder, or of a vocab.txt (uncased, as BERT's, unless `cased`). Exactly
// one of the two must be named.
Tokenizer find_tokenizer(const std::string& model, const std::string& vocabulary,
                         bool cased = false);

}  // namespace ink::cli
