// Distillation on plain text: a student learns from a pre-trained teacher, before any task.
//
//   distill_text({.teacher = "teacher",
//                 .student = {.preset = "DistilBERT",
//                             .init_from_teacher = TeacherInit{TeacherInit::From::uniform}},
//                 .config = loss_preset("DistilBERT", …),
//                 .text = {.corpus = {"texts"}, .out = "student", .steps = 10000}},
//                &words);
//
// Text, corruption, batches, steps, checkpoints and held-out text are those of the pre-training job
// (objectives/pretrain.h), the losses those of a DistillationConfig: between the logits of student
// and teacher at the tokens that are predicted, between their layers at all tokens, and as
// hard_label_loss that of the pre-training itself, called mlm_loss in the log. Both models read the
// corrupted tokens. A loss of logits is a mean over the predicted tokens of a step; that of a match
// is one over micro-batches, each weighted by its tokens.
//
// Where kd_loss_weight is 0 the teacher needs no masked-LM head; where hard_label_weight is 0, too,
// the student gets none either and is written as a body alone: TinyBERT's general distillation.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "compress/distill.h"
#include "objectives/pretrain.h"

namespace ink {

struct DistillTextOptions {
  std::filesystem::path teacher;  // its folder
  StudentOptions student = {};    // reads the teacher's tokens
  DistillationConfig config = {};
  // As in DistillOptions, these two.
  std::optional<MatchLoss> match_evenly = {};
  std::string layer_map = "uniform";
  // The text, what is predicted of it, and the training; text.out receives the student. start_from
  // and lesson are set here. The objective predicts tokens: masked, mac, or perlm in global space.
  PretrainOptions text = {};
};

// Its evaluations are those of the pre-training job where the student has a masked-LM head, and
// all losses between the two models. The best is that of the lowest MLM loss; without a head that
// of the lowest weighted sum. `segmenter` as in pretrain().
PretrainResult distill_text(const DistillTextOptions& options, const Segmenter* segmenter,
                            const PretrainCallbacks& callbacks = {});

// What distill_text() will do, read and checked as it does, before anything is trained or written.
struct DistillTextPlan {
  DistillPlan models;  // of which fit and the numbers of examples are not set
  PretrainOptions text = {};
  int64_t documents = 0, held_out = 0;  // of the corpus: to train on, and to measure on
};
DistillTextPlan plan_text_distillation(const DistillTextOptions& options);
std::string explanation(const DistillTextPlan& plan);  // for people, several lines
Json to_json(const DistillTextPlan& plan);

// Options from a file as `inkstone distill --config` reads it, with "text" in place of "train":
//   {"teacher": …, "student": …, "loss_preset": …, "match_evenly": …, "layer_map": …,
//    "TrainingConfig": {…}, "DistillationConfig": {…}}
// as distill_options_from_json reads them, but TrainingConfig without num_epochs and batch_size.
// What is said of the text itself, of the objective and the steps is in `text`. Raises Error for
// unknown keys.
DistillTextOptions distill_text_options_from_json(const Json& json, PretrainOptions text);

}  // namespace ink
