// tokenizer.json with its merges as lines: ["a", "b"] → "a b".
//
// Since the release 0.20 of the tokenizers package merges are written as pairs, which those before
// it refuse; all of them read lines. So a tokenizer that is copied beside a model stays one that
// every release loads. All else in the file is kept.
#pragma once
#include <string>

namespace ink {

// `text` is the file's content, given back as it is where no merge is a pair; `source` names it in
// messages. Raises Error for what is no JSON.
std::string with_merges_as_lines(std::string text, const std::string& source);

}  // namespace ink
