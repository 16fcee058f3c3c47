// What a distillation on text is made of, read and checked before anything is trained.
#pragma once
#include <filesystem>

#include "compress/distill_text.h"
#include "nn/model.h"
#include "text/tokenizer.h"

namespace ink {

// A masked-LM head where any loss is of logits.
Heads heads_of_text_student(const DistillationConfig& config);

struct TextSetting {
  ModelConfig teacher, student;
  DistillationConfig config;  // with the matches of match_evenly
  Tokenizer tokenizer;        // of both
};
// Raises Error for whatever cannot be trained so, with what to change; that the teacher has no head
// is said when it is loaded.
TextSetting text_setting_of(const DistillTextOptions& options);

// With its masked-LM head where it has one that the student learns from or begins with. Raises
// Error where it is needed and not there.
Model load_text_teacher(const std::filesystem::path& folder, const DistillationConfig& config);

}  // namespace ink
