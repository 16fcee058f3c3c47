// Whether teacher, student, losses, text and tokens go together.
#include "compress/text_setting.h"

#include "compress/layer_map.h"
#include "compress/teacher.h"
#include "nn/checkpoint.h"
#include "objectives/pretrain_stages.h"
#include "tasks/classification.h"
#include "tensor/error.h"
#include "text/fingerprint.h"

namespace ink {
namespace {

DistillationConfig settled_config(const DistillTextOptions& options, const ModelConfig& teacher,
                                  const ModelConfig& student) {
  DistillationConfig config = options.config;
  if (options.match_evenly)
    match_evenly(config, *options.match_evenly, layer_map(options.layer_map), match_size(teacher),
                 match_size(student));
  check(!config.is_caching_logits,
        "distill: texts are corrupted anew in every epoch, so that no logits can be cached; "
        "expected is_caching_logits false");
  check(config.kd_loss_type != KdLoss::bce && config.kd_loss_type != KdLoss::regression,
        "distill: tokens of text have one right answer; expected kd_loss_type ce, kl or mse");
  check_recompute(config, options.text.recompute);
  check(!options.match_evenly || options.layer_map != "emd",
        "distill: the map emd is measured on the examples of a task; expected uniform or last");
  check_learns(config);
  config.settle(match_size(teacher), match_size(student));
  return config;
}

void check_objective(const Objective& o) {
  const bool predicts_tokens = o.task == TokenTask::masked || o.task == TokenTask::mac ||
                               (o.task == TokenTask::perlm && o.space == Space::global);
  check(predicts_tokens && (o.pair_task == PairTask::none || o.pair_task == PairTask::unasked),
        "distill: a teacher is asked which token stands at the places of an objective; expected "
        "mlm, wwm, ngram, mac, or perlm in global space, alone or with pair");
}

// Both models read the same numbers, as the same tokens.
void check_same_tokens(const DistillTextOptions& options, const Tokenizer& of_teacher,
                       const ModelConfig& teacher, const ModelConfig& student,
                       const DistillationConfig& config) {
  const std::filesystem::path& folder = options.student.folder;
  const bool own = !folder.empty() && has_tokenizer(folder);
  check(!own || fingerprint_of(Tokenizer::load(folder)).to_string() ==
                    fingerprint_of(of_teacher).to_string(),
        "distill: the student in ", folder.string(), " has another vocabulary or another way to ",
        "cut text than the teacher in ", options.teacher.string(), "; on text both read the same ",
        "tokens: expected a student with the teacher's tokenizer, or a new one from a preset, an ",
        "architecture or layers of the teacher");
  check(!config.compares_logits() || student.vocab_size == teacher.vocab_size,
        "distill: the student scores ", student.vocab_size, " tokens, the teacher ",
        teacher.vocab_size, "; expected the teacher's vocab_size, or kd_loss_weight 0");
}

void check_lengths(const PretrainOptions& text, const ModelConfig& teacher) {
  const int64_t longest = PretrainStages(text).longest();
  check(longest <= teacher.longest(), "distill: the teacher reads at most ", teacher.longest(),
        " tokens, got sequences of ", longest);
}

}  // namespace

Heads heads_of_text_student(const DistillationConfig& c) {
  return {.masked_lm = !c.learns_layers_alone()};
}

Model load_text_teacher(const std::filesystem::path& folder, const DistillationConfig& config) {
  const ModelConfig teacher = ModelConfig::read(folder / "config.json");
  const LoadOptions load;
  const bool has_head = Checkpoint(folder, teacher, load).heads().masked_lm;
  check(has_head || !config.compares_logits(), "distill: the teacher in ", folder.string(),
        " has no masked-LM head, so that it cannot say which tokens it expects; expected a "
        "pre-trained model that has one, or kd_loss_weight 0 and intermediate_matches");
  return load_model(
      folder, {.heads = Heads{.masked_lm = has_head && heads_of_text_student(config).masked_lm}});
}

TextSetting text_setting_of(const DistillTextOptions& options) {
  const PretrainOptions& text = options.text;
  check(text.start_from.empty() && !text.lesson,
        "distill: expected text options without a start and a lesson of their own");
  const ModelConfig teacher = ModelConfig::read(options.teacher / "config.json");
  ModelConfig student =
      config_of_student(options.student, teacher, heads_of_text_student(options.config));
  DistillationConfig config = settled_config(options, teacher, student);
  Tokenizer tokenizer = load_tokenizer(options.teacher, teacher);
  check_objective(text.objective);
  check_same_tokens(options, tokenizer, teacher, student, config);
  check_lengths(text, teacher);
  check_pretraining(student, tokenizer, text);
  return {teacher, std::move(student), std::move(config), std::move(tokenizer)};
}

}  // namespace ink
