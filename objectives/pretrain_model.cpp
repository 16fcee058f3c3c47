// Building, tying and saving what is trained.
#include "objectives/pretrain_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "nn/parameter_count.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGeneratorFolder = "generator";

// Whether the generator reads this parameter of the discriminator.
bool is_tied(const std::string& name, const Family& family) {
  const std::string prefix = std::string(family.prefix) + '.';
  const EmbeddingNames& names = family.embeddings;
  return std::ranges::any_of(
      std::array{names.word, names.position, names.segment},
      [&](const char* table) { return table && name == prefix + table + ".weight"; });
}

Model read_or_make(const ModelConfig& config, const Heads& heads, const fs::path& folder,
                   const Random& random, const Notice& notice) {
  if (!folder.empty())
    return load_model(folder,
                      {.heads = heads, .new_heads = true, .random = random, .notice = notice});
  check_trainable_here(config, heads);
  return Model(config, heads, random_values(random));
}

}  // namespace

PretrainModel::PretrainModel(Model discriminator, Model generator_, double replaced_weight_)
    : model(std::move(discriminator)),
      generator(std::make_unique<Model>(std::move(generator_))),
      replaced_weight(replaced_weight_) {
  const auto link = [&](const std::string& name, Parameter& to) {
    Parameter& from = joint_.add(name, to.value);
    from.decay = to.decay;
    from.rate = to.rate;
    from.weight_decay = to.weight_decay;
    links_.emplace_back(&from, &to);
  };
  for (Parameter& p : model.parameters) link(p.name, p);
  for (Parameter& p : generator->parameters) {
    if (is_tied(p.name, *model.config.family))
      links_.emplace_back(&joint_.at(p.name), &p);
    else
      link("generator." + p.name, p);
  }
  for (const auto& [from, to] : links_) {
    check(from->value.shape() == to->value.shape(), "rtd: the generator shares ", to->name,
          " with the discriminator; expected ", from->value.shape(), ", got ", to->value.shape());
  }
  refresh();
}

void PretrainModel::refresh() {
  for (const auto& [from, to] : links_) to->value = from->value;
}

ModelConfig generator_config(const ModelConfig& discriminator, double size) {
  check(size > 0 && size <= 1, "rtd: expected a generator of a size in (0, 1], got ", size);
  ModelConfig c = discriminator;
  const auto hidden =
      static_cast<int64_t>(std::nearbyint(size * static_cast<double>(discriminator.hidden_size)));
  int64_t heads = std::max<int64_t>(1, hidden / 64);
  while (hidden % heads != 0) --heads;
  check(hidden > 0, "rtd: a generator of ", size, " times ", discriminator.hidden_size,
        " channels has none");
  c.embedding_size = discriminator.embedding_channels();
  c.hidden_size = hidden;
  c.head_size = hidden / heads;
  c.set_layers(discriminator.layers(), heads, 4 * hidden);
  c.architectures.clear();
  return c;
}

PretrainModel make_pretrain_model(const ModelConfig& config, const Objective& objective,
                                  const fs::path& start_from, const Random& random,
                                  const Notice& notice) {
  check_supported(objective,
                  start_from.empty() ? config : ModelConfig::read(start_from / "config.json"));
  Model model = read_or_make(config, heads_of(objective), start_from, random, notice);
  if (model.position && objective.scale) {
    const auto C = static_cast<double>(model.config.hidden_size);
    model.config.position_scale = *objective.scale > 0 ? *objective.scale : 1 / std::sqrt(C);
    model.position->factor = model.config.position_scale;
  }
  if (objective.task != TokenTask::rtd) return PretrainModel(std::move(model));

  const ModelConfig smaller = generator_config(model.config, objective.generator_size);
  const fs::path before = start_from / kGeneratorFolder;
  const bool has_generator = !start_from.empty() && fs::exists(before / "config.json");
  Model generator = read_or_make(smaller, {.masked_lm = true}, has_generator ? before : fs::path(),
                                 random.split(1), notice);
  return {std::move(model), std::move(generator), objective.replaced_weight};
}

void save_pretrain_model(const PretrainModel& m, const Tokenizer& tokenizer,
                         const fs::path& folder) {
  const auto save = [&](const Model& model, const fs::path& where) {
    create_folders(where);
    tokenizer.save(where);
    save_model(model, where);
  };
  save(m.model, folder);
  if (m.generator) save(*m.generator, folder / kGeneratorFolder);
}

}  // namespace ink
