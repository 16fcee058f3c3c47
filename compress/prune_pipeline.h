// The pipeline: heads and FFNs first, then the vocabulary; one model is written, once.
//
// The vocabulary is chosen before anything is measured, so that its errors come at once, and a
// target of parameters or megabytes counts the tokens that it leaves: it holds for what is written.
#pragma once
#include "compress/prune.h"
#include "compress/prune_vocabulary.h"

namespace ink {

struct PipelineResult {
  PruneResult transformer;           // its parameters_after: with the whole vocabulary still
  VocabularyPruneResult vocabulary;  // its parameters_before: of the model before both
};

// `vocabulary` names texts, tokens and config alone; model and folder are those of `transformer`.
// Writes the model, its tokenizer, pruning.json and vocabulary_pruning.json.
PipelineResult prune_pipeline(PruneOptions transformer, VocabularyPruneOptions vocabulary,
                              const Notice& notice = {});

}  // namespace ink
