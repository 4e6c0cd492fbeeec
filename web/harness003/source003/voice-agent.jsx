import React, { useState, useEffect, useRef } from "react";
import { FastRTC } from "fastrtc";

// Component to list and select agents
const AgentSelection = ({ onSelect, token }) => {
  const [agents, setAgents] = useState([]);
  const [loading, setLoading] = useState(true);

  useEffect(() => {
    const fetchAgents = async () => {
      try {
        const response = await fetch("http://localhost:8000/api/agents/list", {
          headers: {
            Authorization: `Bearer ${token}`,
          },
        });

        if (response.ok) {
          const data = await response.json();
          setAgents(data);
        }
      } catch (error) {
        console.error("Failed to fetch agents:", error);
      } finally {
        setLoading(false);
      }
    };

    fetchAgents();
  }, [token]);

  if (loading) return <div>Loading available agents...</div>;

  return (
    <div className="agent-selection">
      <h2>Select an Agent</h2>
      <div className="agent-list">
        {agents.map((agent) => (
          <div
            key={agent.id}
            className="agent-card"
            onClick={() => onSelect(agent.id)}
          >
            <h3>{agent.name}</h3>
            <p>{agent.description}</p>
          </div>
        ))}
      </div>
    </div>
  );
};

// Main voice agent component
const VoiceAgentPage = () => {
  const [selectedAgent, setSelectedAgent] = useState(null);
  const [isConnecting, setIsConnecting] = useState(false);
  const streamRef = useRef(null);
  const token = localStorage.getItem("token");

  const selectAgent = async (agentType) => {
    setIsConnecting(true);

    try {
      // First call /api/agents/access to decrement OTP use count
      await fetch("http://localhost:8000/api/agents/access", {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          Authorization: `Bearer ${token}`,
        },
        body: JSON.stringify({
          agent_type: agentType,
        }),
      });

      // Set the selected agent to trigger connection
      setSelectedAgent(agentType);
    } catch (error) {
      console.error("Failed to access agent:", error);
      setIsConnecting(false);
    }
  };

  useEffect(() => {
    // Connect to the selected agent when it changes
    if (selectedAgent && token) {
      connectToVoiceAgent(selectedAgent, token);
    }

    return () => {
      // Cleanup voice agent connection
      if (streamRef.current) {
        streamRef.current.close();
      }
    };
  }, [selectedAgent, token]);

  const connectToVoiceAgent = (agentType, token) => {
    // Create a FastRTC client instance with authentication
    const rtc = new FastRTC({
      url: `ws://localhost:8000/api/voice-agents/stream?agent_type=${agentType}`,
      headers: {
        Authorization: `Bearer ${token}`,
      },
    });

    // Connect to the voice agent stream
    rtc.connect();

    // Set up event handlers
    rtc.onConnected(() => {
      console.log(`Connected to ${agentType} agent`);
      setIsConnecting(false);
    });

    rtc.onDisconnected(() => {
      console.log(`Disconnected from ${agentType} agent`);
    });

    rtc.onError((error) => {
      console.error("Voice agent error:", error);
      setIsConnecting(false);
    });

    // Store the reference for cleanup
    streamRef.current = rtc;
  };

  if (!selectedAgent) {
    return <AgentSelection onSelect={selectAgent} token={token} />;
  }

  return (
    <div>
      <h1>{selectedAgent.toUpperCase()} Voice Agent</h1>
      {isConnecting ? (
        <div>Connecting to agent...</div>
      ) : (
        <div>
          {/* Voice agent UI components */}
          <button onClick={() => setSelectedAgent(null)}>Change Agent</button>
        </div>
      )}
    </div>
  );
};

export default VoiceAgentPage;
