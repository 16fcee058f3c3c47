// The verbs of the program, one file each.
//
// A verb declares its options, calls the library and prints the result.
#pragma once
#include <functional>
#include <span>
#include <string>

#include "cli/command.h"
#include "tensor/json.h"

namespace ink::cli {

// What a verb does once its options are known. Returns the results for --json.
using Action = std::function<Json()>;

struct Verb {
  const char* name;
  const char* summary;  // one line, for `inkstone --help` and the head of `inkstone VERB --help`
  Action (*declare)(Command& command);
};

Action declare_info(Command& command);
Action declare_vocab(Command& command);
Action declare_dictionary(Command& command);
Action declare_vectors(Command& command);
Action declare_tokenize(Command& command);
Action declare_segment(Command& command);
Action declare_word_order(Command& command);
Action declare_corrupt(Command& command);
Action declare_pretrain(Command& command);
Action declare_finetune(Command& command);
Action declare_evaluate(Command& command);
Action declare_predict(Command& command);
Action declare_embed(Command& command);
Action declare_distill(Command& command);
Action declare_prune(Command& command);
Action declare_convert(Command& command);
Action declare_study(Command& command);
Action declare_report(Command& command);

std::span<const Verb> verbs();

}  // namespace ink::cli
