// What a distillation on text will do, in words and as JSON.
#include <sstream>

#include "compress/distill_text.h"
#include "compress/explain.h"
#include "objectives/pretrain_stages.h"

namespace ink {
namespace {

// "128", or of stages "128, then 512".
std::string lengths_of(const PretrainOptions& text) {
  if (text.stages.empty()) return std::to_string(text.max_tokens);
  std::string lengths;
  for (const PretrainStage& stage : text.stages)
    lengths += (lengths.empty() ? "" : ", then ") + std::to_string(stage.max_tokens);
  return lengths;
}

// "every 500 steps and after the last", or "after the last step".
std::string moments(int64_t every) {
  return every > 0 ? "every " + std::to_string(every) + " steps and after the last"
                   : "after the last step";
}

}  // namespace

std::string explanation(const DistillTextPlan& plan) {
  const PretrainOptions& t = plan.text;
  const int64_t warm_up = t.warmup_steps < 0 ? t.steps / 10 : t.warmup_steps;
  std::ostringstream text;
  print_models(text, plan.models);
  text << "\ntraining   " << plan.documents << " documents of text, " << plan.held_out
       << " to measure on\n"
       << "  " << t.steps << " steps of " << t.accumulate
       << (t.accumulate == 1 ? " batch" : " batches") << " of at most " << t.batch_tokens
       << " tokens, in sequences of at most " << lengths_of(t) << '\n'
       << "  learning rate up to " << t.learning_rate << " over the first " << warm_up
       << " steps, then " << (t.decay == Decay::constant ? "constant" : "down to 0")
       << "; weight decay " << t.optimizer.weight_decay << '\n'
       << "  evaluated " << moments(t.evaluate_every) << '\n';
  return text.str();
}

Json to_json(const DistillTextPlan& plan) {
  return models_to_json(plan.models)
      .set("documents", plan.documents)
      .set("held_out_documents", plan.held_out);
}

}  // namespace ink
