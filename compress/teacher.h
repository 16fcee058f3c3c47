// What a teacher says about the batches of its student: computed anew, or looked up.
//
//   const Teacher teacher(std::move(session), data.train, config);
//   const ModelOutputs wanted = teacher.outputs(batch);
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "compress/distillation_config.h"
#include "compress/distillation_loss.h"
#include "compress/reading.h"
#include "compress/teacher_cache.h"
#include "nn/model.h"
#include "nn/session.h"

namespace ink {

// What matches may ask of a model; without heads where attention is more than softmax(q kᵀ/√D), as
// XLNet's is.
ModelSize match_size(const ModelConfig& config);

// The logits of a batch, and of hidden states and attention what the matches of `config` read.
ModelOutputs outputs_of(const Model& model, const Packed& batch, EncoderOptions options,
                        const DistillationConfig& config);

// What Teacher needs to cache its outputs on disk (compress/teacher_cache.h); where options.folder
// is empty, nothing is cached there.
struct CacheOnDisk {
  TeacherCacheOptions options = {};
  Json made_by = {};  // what decides the teacher's bits: its weights and architecture
  std::function<void(const std::string& sentence)> notice = {};
  const std::atomic<bool>* stop = nullptr;
};

// Refers to what it is made of, but holds its share of the session: until outputs are cached, so
// that such a teacher leaves memory. Nothing is recorded on a tape.
class Teacher {
 public:
  // With config.is_caching_logits the logits of all examples are computed here, with a cache on
  // disk all that training will ask for.
  Teacher(std::shared_ptr<const Session> session, const Reading& reading,
          const DistillationConfig& config, const CacheOnDisk& disk = {});

  ModelOutputs outputs(const FeatureBatch& batch) const;

 private:
  std::shared_ptr<const Session> session_;
  const Reading& reading_;
  const DistillationConfig& config_;
  void cache_in_memory();

  std::vector<int64_t> starts_;  // of each example's rows in logits_, and their end; empty: none
  Tensor logits_;                // (examples, classes), or of tokens (tokens, tags)
  std::optional<TeacherCache> cache_;
};

}  // namespace ink
