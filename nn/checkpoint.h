// Checkpoint: the weights of a folder as a model of its family sees them. Which heads are there,
// and what is the value of each parameter?
//
//   Checkpoint checkpoint(folder, config, options);
//   Model model(config, checkpoint.heads(), [&](name, shape, initial) {
//     return checkpoint.value(name, shape, initial); });
//   checkpoint.finish();   // raises Error unless file and model agree
//
// **Heads.** Published files seldom hold just what config.json names: BertForMaskedLM with a pooler
// and a next-sentence head, or with no head at all. A model gets the heads that config.json names
// and the file holds; besides, where the file holds them, the pooler and the head of pairs; and
// where config.json names no class of the family's, every head that can be told by its name alone.
// What is named but not there, and what is there but not taken, goes to LoadOptions::notice. With
// LoadOptions::heads the caller has the word instead, and what is made new goes there.
//
// **Names.** With or without the prefix of the body, or behind `module.` (data-parallel training);
// layer norms also as `gamma` and `beta`; copies of tied tensors and buffers are passed over. A
// tensor of the body that nobody asks for is an error, as is one that is missing or has the wrong
// shape. Building stops once more are missing than the file could hold; new heads
// (LoadOptions::new_heads) are made behind a body that fits, of at most 8 times the bytes of the
// files and 16 MiB.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "nn/model_folder.h"
#include "nn/weights.h"

namespace ink {

// Which tensors of a file are which of a family's, under whatever names they come.
class CheckpointNames {
 public:
  CheckpointNames(const Family& family, std::span<const Weights::Entry> entries);
  std::string canonical(std::string name) const;  // the name under which we know it
  bool is_body(std::string_view name) const;      // without the pooler
  bool is_pooler(std::string_view name) const;
  bool is_redundant(const std::string& name) const { return redundant_.contains(name); }

 private:
  std::string prefix_, pooler_;
  std::set<std::string, std::less<>> redundant_;
  std::set<std::string, std::less<>> first_steps_;  // of the body's names, where it has no prefix
  bool data_parallel_ = false;
};

class Checkpoint {
 public:
  // `config` and `options` outlive it.
  Checkpoint(const std::filesystem::path& folder, const ModelConfig& config,
             const LoadOptions& options);
  Heads heads() const;
  Tensor value(const std::string& name, const Shape& shape, const Initial& initial);
  void finish() const;

 private:
  Heads heads_of_file(const Heads& named) const;
  bool holds(const std::string& start) const;  // a tensor whose name begins so
  void use_untied_bias(const MaskedLmNames& names);
  Tensor fresh(const std::string& name, const Shape& shape, const Initial& initial);
  [[noreturn]] void refuse(const std::vector<std::string>& unexpected) const;
  void say(const std::string& sentence) const;

  const ModelConfig& config_;
  const LoadOptions& options_;
  Weights weights_;
  CheckpointNames names_;
  ValueSource random_;
  uint64_t fresh_bytes_ = 0;
  std::map<std::string, const Weights::Entry*> entries_;  // by canonical name
  std::set<std::string> used_;
  std::vector<std::string> missing_, wrong_, fresh_;
};

}  // namespace ink
