// Ways as a tree of splits; keys in one small array on the device, sent together.
#include "tensor/replayed_random.h"

#include "tensor/error.h"

namespace ink {

void fail_draw() {
  fail("random: work that is recorded cannot draw on the host, as no replay would draw again");
}

const RandomWay* split_way(const RandomWay* way, uint64_t i) { return way->all_->split(way, i); }
const PhiloxKey* place_of_key(const RandomWay* way) { return way->all_->place_of(way); }

ReplayedRandom::ReplayedRandom() : keys_({kMost, 2}, Dtype::i32, Device::cuda) {
  ways_.push_back(std::make_unique<RandomWay>(this, nullptr, 0, Random(0)));
}

Random ReplayedRandom::root() const {
  Random made = ways_.front()->now_;
  made.way_ = ways_.front().get();
  return made;
}

void ReplayedRandom::start(const Random& root) {
  check(!root.way_, "random: expected a root that can be drawn from, got one of recorded work");
  for (const auto& way : ways_) way->now_ = way->from_ ? way->from_->now_.split(way->split_) : root;
  std::vector<PhiloxKey> keys;
  for (const RandomWay* way : placed_) keys.push_back(way->now_.key());
  if (!keys.empty()) cuda_backend().upload(key_at(0), keys.data(), keys.size() * sizeof(PhiloxKey));
}

const RandomWay* ReplayedRandom::split(const RandomWay* from, uint64_t i) {
  const RandomWay*& way = known_[{from, i}];
  if (!way) {
    ways_.push_back(std::make_unique<RandomWay>(this, from, i, from->now_.split(i)));
    way = ways_.back().get();
  }
  return way;
}

const PhiloxKey* ReplayedRandom::place_of(const RandomWay* way) {
  const auto known = places_.find(way);
  if (known != places_.end()) return key_at(known->second);
  const int64_t place = std::ssize(placed_);
  check(!cuda_backend().recording(),
        "random: work that is recorded draws from another stream than when it was done before");
  check(place < kMost, "random: expected work that draws from at most ", kMost, " streams");
  const PhiloxKey key = way->now_.key();
  cuda_backend().upload(key_at(place), &key, sizeof key);
  placed_.push_back(way);
  places_.emplace(way, place);
  return key_at(place);
}

PhiloxKey* ReplayedRandom::key_at(int64_t place) const {
  return static_cast<PhiloxKey*>(keys_.storage()->data()) + place;
}

}  // namespace ink
