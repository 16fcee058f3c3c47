// What pre-training trains: a model, or ELECTRA's two (Clark et al. 2020).
//
//   PretrainModel m = make_pretrain_model(config, objective, start_from, random);
//   tape.watch(m.parameters());
//   m.refresh();
//   … m.model, m.generator …
//
// The generator is a smaller model of the same family and depth. It reads the discriminator's
// tables of words, positions and segments (section 3.2), so it has no parameters for these of its
// own.
#pragma once
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "nn/model.h"
#include "nn/model_folder.h"
#include "objectives/objective.h"
#include "text/tokenizer.h"

namespace ink {

class PretrainModel {
 public:
  explicit PretrainModel(Model model_) : model(std::move(model_)) {}
  PretrainModel(Model discriminator, Model generator_, double replaced_weight_);

  Model model;                       // with rtd the discriminator
  std::unique_ptr<Model> generator;  // with rtd, else null
  double replaced_weight = 1;        // of the discriminator's loss, beside the generator's

  // What is trained, each number once. With a generator it is a store of its own, in which the
  // generator's names begin with "generator.".
  Parameters& parameters() { return generator ? joint_ : model.parameters; }
  // Call after anything has changed a value of parameters(): watched it, replaced it, or read it
  // from a checkpoint.
  void refresh();

 private:
  Parameters joint_;
  std::vector<std::pair<const Parameter*, Parameter*>> links_;  // from joint_ to the models
};

// Sizes of the generator: `size` times the hidden size, with heads of 64 channels and a
// feed-forward part of four times that.
ModelConfig generator_config(const ModelConfig& discriminator, double size);

// Of random weights; or of those in `start_from`, and of its folder "generator" where there is one;
// heads that are not there are new, which `notice` is told.
PretrainModel make_pretrain_model(const ModelConfig& config, const Objective& objective,
                                  const std::filesystem::path& start_from, const Random& random,
                                  const Notice& notice = {});
// Writes the folder; the generator goes into its folder "generator".
void save_pretrain_model(const PretrainModel& model, const Tokenizer& tokenizer,
                         const std::filesystem::path& folder);

}  // namespace ink
