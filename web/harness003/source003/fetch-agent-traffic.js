const fetchAgentTraffic = async () => {
  try {
    const response = await api.get("/agents/traffic");
    return response.data;
  } catch (error) {
    console.error("Failed to fetch agent traffic:", error);
    return [];
  }
};
