// The pipeline: heads and FFNs first, then the vocabulary; one model is written, once.
#include "compress/prune_pipeline.h"

#include "compress/element_costs.h"
#include "compress/result_folder.h"
#include "nn/model_folder.h"

namespace ink {

PipelineResult prune_pipeline(PruneOptions transformer, VocabularyPruneOptions vocabulary,
                              const Notice& notice) {
  check_result_folder(transformer.model, transformer.out);
  if (transformer.config.target) read_costs(*transformer.config.target);
  vocabulary.model = transformer.model;
  vocabulary.out = transformer.out;
  const Model model = load_model(transformer.model, {.notice = notice});
  check_job(transformer, model.config);
  const VocabularyPlan plan = plan_vocabulary(vocabulary, model, notice);
  if (transformer.config.target) transformer.config.target->vocabulary = plan.kept.size();
  const Pruning pruning = plan_pruning(transformer, model, notice);
  const Model narrower = model_after(transformer, model, pruning);
  PipelineResult result{{narrower.config.heads_per_layer,
                         narrower.config.ffn_per_layer,
                         model.parameters.elements(),
                         narrower.parameters.elements(),
                         {}},
                        save_with_vocabulary(vocabulary, plan, model, narrower, notice)};
  result.transformer.speed = write_account(transformer, model, narrower, pruning);
  return result;
}

}  // namespace ink
