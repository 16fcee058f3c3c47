// Options that the verbs share which train on plain text: what is read, predicted, kept and shown.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/objective_names.h"
#include "objectives/pretrain.h"
#include "text/segmenter.h"
#include "text/tokenizer.h"

namespace ink::cli {

struct TextOptions {
  ObjectiveOptions objective;
  std::string dictionary, stages, save_at;
  std::vector<std::string> text;
  PretrainOptions job = {};  // of options that are numbers; max_tokens 0: as length_for says
};

// --dictionary, --objective with what belongs to it, and how often texts are masked anew.
void declare_objective_of_text(Command& command, TextOptions& options);
// --max-length aside: --stages, --batch-tokens and the text that only measures.
void declare_batches(Command& command, TextOptions& options);
// The log, checkpoints and what is kept on the way; --resume aside.
void declare_running(Command& command, TextOptions& options);

// What says nothing about these options together. Raises UsageError.
void check_text_options(const TextOptions& options, const Command& command);

// The job but for what belongs to a tokenizer or a model.
PretrainOptions text_job(const TextOptions& options, const Command& command);
// Puts in what does, for a model that reads `longest` tokens. Raises UsageError and Error.
void complete_text_job(PretrainOptions& job, const TextOptions& options, const Tokenizer& tokenizer,
                       int64_t longest);

// Prints the result as a line, and gives it as JSON.
Json show_result(const PretrainResult& result, const std::string& out);

}  // namespace ink::cli
