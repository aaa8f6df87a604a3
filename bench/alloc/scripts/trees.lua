-- Binary trees, built and dropped, beside one that lives on: tables of two fields, under Lua's collector.
local function build(depth)
  if depth == 0 then return {false, false} end
  return {build(depth - 1), build(depth - 1)}
end

local function count(tree)
  if tree[1] then return 1 + count(tree[1]) + count(tree[2]) end
  return 1
end

local long_lived = build(17)
for depth = 4, 14, 2 do
  local trees, nodes = 1 << (18 - depth), 0
  for _ = 1, trees do nodes = nodes + count(build(depth)) end
  print(trees, depth, nodes)
end
print(count(long_lived))
