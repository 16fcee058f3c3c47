// Students by name: sizes that toolkits and papers publish, to be filled with a teacher's
// vocabulary.
//
// Parameters of the body, embeddings included, pooler and head not, with BERT's English vocabulary
// of 28,996 tokens (TinyBERT, DistilBERT and MiniLM: 30,522; Electra-small: 21,128):
//
//   T6           6 × 768, FFN 3072    65,192,448   TextBrewer (Yang et al. 2020), DistilBERT's size
//   T3           3 × 768, FFN 3072    43,928,832   TextBrewer, BERT-of-Theseus' smaller sister
//   T3-small     3 × 384, FFN 1536    16,656,000   TextBrewer
//   T4-tiny      4 × 312, FFN 1200    13,776,480   TextBrewer, TinyBERT's size
//   T12-nano     12 × 256, FFN 1024   17,032,192   TextBrewer, which does not say how many heads: 4
//   TinyBERT-4   4 × 312, FFN 1200    14,252,592   Jiao et al. 2020
//   TinyBERT-6   6 × 768, FFN 3072    66,364,416   Jiao et al. 2020
//   DistilBERT   6 × 768, FFN 3072    66,362,880   Sanh et al. 2019: its own family, no segments
//   MiniLM-L6-H384    6 × 384, FFN 1536    22,565,376   Wang et al. 2020
//   MiniLM-L12-H384   12 × 384, FFN 1536   33,212,160   Wang et al. 2020
//   Electra-small   12 × 256, FFN 1024, embeddings of 128   12,280,576   Clark et al. 2020
//   BiGRU        1 × 768 each way     30,932,736   TextBrewer; our reading of it (nn/bigru.h)
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "nn/config.h"

namespace ink {

struct StudentPreset {
  const char* name;
  int64_t layers, hidden, ffn, heads;
  // Null: the teacher's, or BERT's where the teacher is built otherwise (ALBERT, MobileBERT, XLNet,
  // BiGRU).
  const Family& (*family)() = nullptr;
  int64_t embedding = 0;  // channels of the embeddings; 0: as many as hidden
};

std::span<const StudentPreset> student_presets();

// "T3-small", also "t3_small": letters and digits count, in either case. Raises Error for an
// unknown name, with the nearest one.
const StudentPreset& student_preset(const std::string& name);

// A model of these sizes that reads what the teacher reads: vocabulary, special ids, segments and
// positions are the teacher's (512 positions where it has no limit). Labels are left to the caller.
ModelConfig student_config(const StudentPreset& preset, const ModelConfig& teacher);

}  // namespace ink
