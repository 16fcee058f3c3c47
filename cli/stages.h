// Options that name several numbers in one word: --stages 128:0.9,512:0.1 and --save-at 1000,3000.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "objectives/pretrain.h"

namespace ink::cli {

// "LENGTH:SHARE,…"; empty for an empty word. Raises UsageError for lengths of a model that reads at
// most `longest` tokens, and for what is no such list.
std::vector<PretrainStage> stages_from(const std::string& word, int64_t longest);

// "STEP,…"; empty for an empty word.
std::vector<int64_t> steps_from(const std::string& word, const std::string& option);

}  // namespace ink::cli
