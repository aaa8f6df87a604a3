# Objects with fields, strings, arrays and hashes, under Ruby's collector.
Item = Struct.new(:key, :name, :tags)

class Account
  attr_reader :entries

  def initialize
    @entries = {}
  end

  def add(item)
    @entries[item.name] = item
    @entries.shift if @entries.size > 3000
  end
end

accounts = Array.new(20) { Account.new }
seed = 1
total = 0
130_000.times do |number|
  seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xffffffffffffffff
  dice = seed >> 33
  item = Item.new(number, "item number #{dice % 100_000} of the list", Array.new(dice % 5) { |i| "tag#{i}" })
  accounts[dice % 20].add(item)
  total += item.tags.join(',').size + item.name.sub('number', 'no.').size
end
puts total, accounts.sum { |account| account.entries.size }
