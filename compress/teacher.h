// What a teacher says about the batches of its student: computed anew, or looked up.
//
//   const Teacher teacher(std::move(session), data.train, config);
//   const ModelOutputs wanted = teacher.outputs(batch);
#pragma once
#include <memory>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "compress/reading.h"
#include "nn/model.h"
#include "nn/session.h"

namespace ink {

// What matches may ask of a model; without heads where attention is more than softmax(q kᵀ/√D), as
// XLNet's is.
ModelSize match_size(const ModelConfig& config);

// The logits of a batch, and of hidden states and attention what the matches of `config` read.
ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config);

// Refers to what it is made of, and holds its share of the session. Nothing is recorded on a tape.
class Teacher {
 public:
  // With config.is_caching_logits the logits of all examples are computed here.
  Teacher(std::shared_ptr<const Session> session, const Reading& reading,
          const DistillationConfig& config);

  ModelOutputs outputs(const FeatureBatch& batch) const;

 private:
  std::shared_ptr<const Session> session_;
  const Reading& reading_;
  const DistillationConfig& config_;
  void cache();

  std::vector<int64_t> starts_;  // of each example's rows in cache_, and their end; empty: no cache
  Tensor cache_;                 // (examples, classes), or of tokens (tokens, tags)
};

}  // namespace ink
