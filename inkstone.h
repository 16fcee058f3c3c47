// Everything of inkstone in one include: tensors, training, models, text, objectives, tasks,
// compression.
//
// The folders' headers can also be included one by one ("nn/session.h"); programs that only run
// models need no more than tensor/, nn/ and text/, and link libinkstone-inference. Kernels
// (tensor/gemm.h, tensor/simd.h, …) and the contract of ops (tensor/op.h) are for those who add to
// the engine, and are not listed here.
#pragma once

// tensor: the engine
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/ops.h"
#include "tensor/packed.h"
#include "tensor/parallel.h"
#include "tensor/parameters.h"
#include "tensor/philox.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "tensor/torch_file.h"
#include "tensor/update.h"

// autograd: gradients and training
#include "autograd/checkpoint.h"
#include "autograd/gradient_check.h"
#include "autograd/optimizer.h"
#include "autograd/schedule.h"
#include "autograd/tape.h"
#include "autograd/trainer.h"
#include "autograd/training_log.h"

// nn: models
#include "nn/body.h"
#include "nn/heads.h"
#include "nn/hub.h"
#include "nn/layers.h"
#include "nn/model.h"
#include "nn/model_folder.h"
#include "nn/scope.h"
#include "nn/session.h"
#include "nn/weights.h"

// text: from characters to batches
#include "text/batch.h"
#include "text/corpus.h"
#include "text/dictionary.h"
#include "text/prefetch.h"
#include "text/segmenter.h"
#include "text/sentences.h"
#include "text/tokenizer.h"
#include "text/utf8.h"
#include "text/vocabulary.h"
#include "text/vocabulary_builder.h"

// objectives: what pre-training asks
#include "objectives/factorization.h"
#include "objectives/full_sentences.h"
#include "objectives/load_similar_words.h"
#include "objectives/mac.h"
#include "objectives/mask.h"
#include "objectives/next_sentence.h"
#include "objectives/objective.h"
#include "objectives/permute.h"
#include "objectives/pretrain.h"
#include "objectives/sentence_order.h"

// tasks: what fine-tuning teaches
#include "tasks/answer_scores.h"
#include "tasks/baselines.h"
#include "tasks/classification.h"
#include "tasks/correlation.h"
#include "tasks/embed.h"
#include "tasks/finetune.h"
#include "tasks/latency.h"
#include "tasks/metrics.h"
#include "tasks/questions.h"
#include "tasks/split.h"
#include "tasks/tagged.h"
#include "tasks/task.h"
#include "tasks/word_order.h"

// compress: distillation and pruning
#include "compress/distill.h"
#include "compress/distill_text.h"
#include "compress/distiller.h"
#include "compress/loss_of_task.h"
#include "compress/loss_presets.h"
#include "compress/prune.h"
#include "compress/surgery.h"
