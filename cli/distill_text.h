// inkstone distill with --text: the student learns on plain text, as pretrain would train it.
#pragma once
#include "cli/command.h"
#include "cli/text_options.h"
#include "tensor/json.h"

namespace ink::cli {

// `job` holds the keys of distill_text_options_from_json (compress/distill_text.h). With `explain`
// it only prints what it would do.
Json distill_on_text(const Json& job, const TextOptions& text, bool explain, Command& command);

}  // namespace ink::cli
